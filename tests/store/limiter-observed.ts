/** A limiter in Redis whose calls and changes a test can see. */
import type { LimitState } from '../../policy/types.ts';
import type { Limiter } from '../../store/limiter.ts';
import { createRedisLimiter, type RedisLimiterOptions } from '../../store/limiter-redis.ts';

/** Long enough that a busy test machine is not taken for a dead Redis. */
const PATIENT_MS = 2000;

export type Observed = {
  readonly limiter: Limiter;
  /** Script calls so far, and how many requests they carried. */
  readonly calls: number[];
  readonly changes: { ok: boolean; reason: string | null }[];
  /** Redis's clock for answers that came from Redis. */
  readonly clocks: WeakMap<readonly LimitState[], number>;
  /** Resolves when the limiter says so itself; at once if it is so. */
  becomes(ok: boolean): Promise<void>;
};

export function observe(url: string, options: Partial<RedisLimiterOptions> = {}): Observed {
  const calls: number[] = [];
  const changes: Observed['changes'] = [];
  const clocks: Observed['clocks'] = new WeakMap();
  let changed = Promise.withResolvers<void>();
  const limiter = createRedisLimiter({
    url,
    instances: 1,
    timeoutMs: PATIENT_MS,
    ...options,
    onStateChange(ok, reason) {
      changes.push({ ok, reason });
      changed.resolve();
      changed = Promise.withResolvers();
    },
    onCall({ groups, clockUs }) {
      calls.push(groups.length);
      for (const states of groups) clocks.set(states, clockUs);
    },
  });
  return {
    limiter,
    calls,
    changes,
    clocks,
    async becomes(ok) {
      while (limiter.health().ok !== ok) await changed.promise;
    },
  };
}
