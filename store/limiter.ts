/** What a limiter promises, whoever counts. */
import type { Charge, LimitState } from '../policy/types.ts';

export interface Limiter {
  /**
   * Counts each charge and says where its limit stands.
   *
   * All or nothing: if one charge is refused, none is counted. Atomic across processes
   * that share the counter; the clock is the counter's own. Never throws: a counter that
   * did not answer in time gives `counted: false`, and nothing may be assumed either way.
   *
   * @returns one state per charge, in order; at once where no round trip is needed.
   */
  consume(charges: readonly Charge[]): readonly LimitState[] | Promise<readonly LimitState[]>;

  /** Whether counts are shared and current right now. `reason` is for operators. */
  health(): LimiterHealth;

  close(): Promise<void>;
}

export type LimiterHealth = {
  readonly ok: boolean;
  readonly kind: 'memory' | 'redis';
  readonly reason: string | null;
};
