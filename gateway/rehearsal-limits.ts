/** The limits of a made-up request, counted as if the same request had been made some times before. */
import type { Charge, LimitState } from '../policy/types.ts';
import { createBucket, type Rate, spendAll } from '../store/sliding-window.ts';

/** @param nth the how manieth such request it is, by the same caller at the same moment, with nobody else about. */
export function rehearsedLimiter(nth: number): {
  consume(charges: readonly Charge[]): readonly LimitState[];
} {
  return { consume: (charges) => counted(charges, nth) };
}

/** Once one of them is refused, every later one is: the buckets stay as they are. */
function counted(charges: readonly Charge[], nth: number): readonly LimitState[] {
  const asks = charges.map(({ limit, cost }) => ({ bucket: createBucket(), rate: rateOf(limit), cost }));
  const fitting = charges.map(({ limit, cost }) => Math.floor(limit.quota / cost));
  const before = Math.min(nth - 1, ...fitting);
  if (before > 0)
    spendAll(
      asks.map((ask) => ({ ...ask, cost: ask.cost * before })),
      0,
    );
  const { standings } = spendAll(asks, 0);
  return charges.map(({ limit }, index) => {
    const standing = standings[index] ?? { remaining: 0, resetMs: 0, retryAfterMs: -1 };
    return { limit, counted: true, allowed: standing.retryAfterMs === 0, ...standing };
  });
}

function rateOf({ quota, windowMs, steps }: Charge['limit']): Rate {
  return { quota, windowUs: windowMs * 1000, steps };
}
