/** Counts limits in this process, on a clock that never steps back. Shares nothing with other processes. */
import type { Charge, LimitState } from '../policy/types.ts';
import type { Limiter, LimiterHealth } from './limiter.ts';
import { type Ask, type Bucket, createBucket, emptyAtUs, type Rate, spendAll } from './sliding-window.ts';

/** Answers at once, never with a promise. */
export interface MemoryLimiter extends Limiter {
  consume(charges: readonly Charge[]): readonly LimitState[];
  /** Buckets held right now, for metrics. */
  size(): number;
}

export type MemoryLimiterOptions = {
  /** A monotonic clock in ms. */
  readonly now?: () => number;
};

type Kept = { readonly bucket: Bucket; emptyAtUs: number };

/** Each call looks at two old buckets, so sweeping keeps up with any flood of new keys; … */
const SWEEP_PER_CALL = 2;
/** … and at more after a pause, so a flood is forgotten under little traffic too, … */
const SWEEP_PER_IDLE_MS = 5;
/** … but never so many that a request would feel it (about 30 µs). */
const SWEEP_MAX = 500;

/**
 * A bucket is kept exactly as long as it holds counts that matter, plus the time the sweep needs to
 * come round; live counts are never evicted. Memory: what was admitted within a window or so.
 */
export function createMemoryLimiter(options: MemoryLimiterOptions = {}): MemoryLimiter {
  const now = options.now ?? (() => performance.now());
  const kept = new Map<string, Kept>();
  let sweeper = kept.entries();
  let sweptAtUs = 0;

  function sweep(nowUs: number): void {
    const idleMs = (nowUs - sweptAtUs) / 1000;
    sweptAtUs = nowUs;
    let budget = Math.min(SWEEP_MAX, SWEEP_PER_CALL + Math.floor(idleMs * SWEEP_PER_IDLE_MS));
    for (; budget > 0 && kept.size > 0; budget -= 1) {
      const next = sweeper.next();
      if (next.done) {
        sweeper = kept.entries();
        return;
      }
      const [key, entry] = next.value;
      if (entry.emptyAtUs <= nowUs) kept.delete(key);
    }
  }

  function consume(charges: readonly Charge[]): readonly LimitState[] {
    const nowUs = Math.floor(now() * 1000);
    sweep(nowUs);
    const fresh = new Map<string, Bucket>();
    const asks = charges.map((charge) => ({
      bucket: kept.get(charge.key)?.bucket ?? freshBucket(fresh, charge.key),
      rate: rateOf(charge),
      cost: charge.cost,
    }));
    const { admitted, standings } = spendAll(asks, nowUs);
    if (admitted) keep(charges, asks);
    return charges.map(({ limit }, index) => {
      const { remaining, resetMs, retryAfterMs } = standings[index] ?? NOTHING;
      return { limit, counted: true, allowed: retryAfterMs === 0, remaining, resetMs, retryAfterMs };
    });
  }

  /** Only what was counted is worth remembering: refused strangers cost no memory. */
  function keep(charges: readonly Charge[], asks: readonly Ask[]): void {
    for (const [index, { bucket, rate }] of asks.entries()) {
      const key = charges[index]?.key ?? '';
      const entry = kept.get(key);
      if (entry === undefined) kept.set(key, { bucket, emptyAtUs: emptyAtUs(bucket, rate) });
      else entry.emptyAtUs = emptyAtUs(bucket, rate);
    }
  }

  return {
    consume,
    size: () => kept.size,
    health: (): LimiterHealth => ({ ok: true, kind: 'memory', reason: null }),
    close: async () => kept.clear(),
  };
}

const NOTHING = { remaining: 0, resetMs: 0, retryAfterMs: 0 };

/** A key named twice in one request is one bucket. */
function freshBucket(fresh: Map<string, Bucket>, key: string): Bucket {
  const known = fresh.get(key);
  if (known !== undefined) return known;
  const bucket = createBucket();
  fresh.set(key, bucket);
  return bucket;
}

function rateOf({ limit }: Charge): Rate {
  return { quota: limit.quota, windowUs: limit.windowMs * 1000, steps: limit.steps };
}
