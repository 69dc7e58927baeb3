/** Counts in this process while Redis is away, for the limits that ask for it. Never decides for the others. */
import type { Charge, Limit, LimitState } from '../policy/types.ts';
import { createMemoryLimiter } from './limiter-memory.ts';

export interface Fallback {
  /**
   * `onRedisDown: local` is counted here with `floor(quota / instances)`, all or none of them; `open`
   * and `closed` come back uncounted, for policy to judge.
   */
  consume(charges: readonly Charge[]): readonly LimitState[];
}

/** @param instances how many processes share each quota; at least 1. */
export function createFallback(instances: number, now: () => number): Fallback {
  const memory = createMemoryLimiter({ now });
  const shares = new WeakMap<Limit, Limit>();

  function shareOf(limit: Limit): Limit {
    const known = shares.get(limit);
    if (known !== undefined) return known;
    const share = { ...limit, quota: Math.floor(limit.quota / instances) };
    shares.set(limit, share);
    return share;
  }

  return {
    consume(charges) {
      const local = charges
        .filter(({ limit }) => limit.onRedisDown === 'local')
        .map((charge) => ({ ...charge, limit: shareOf(charge.limit) }));
      const states = memory.consume(local);
      let at = 0;
      return charges.map((charge) =>
        charge.limit.onRedisDown === 'local' ? ofWhole(charge, states[at++]) : uncounted(charge.limit),
      );
    },
  };
}

/** What is too much for the share is not too much for ever: Redis may be back. */
function ofWhole({ limit, cost }: Charge, state: LimitState | undefined): LimitState {
  if (state === undefined) return uncounted(limit);
  const never = state.retryAfterMs < 0 && cost <= limit.quota;
  return { ...state, limit, retryAfterMs: never ? limit.windowMs : state.retryAfterMs };
}

function uncounted(limit: Limit): LimitState {
  return { limit, counted: false, allowed: false, remaining: 0, resetMs: 0, retryAfterMs: 0 };
}
