/** When an alert that its receiver did not take is sent again. */

const firstMs = 1000;
const longestMs = 3_600_000;
const forMs = 86_400_000;

/**
 * Twice as long after each try, an hour at most.
 *
 * @param attempts how often it was tried, 1 at least.
 * @param ageMs since it was raised.
 * @returns ms from now; null: not again, for it is a day old by then.
 */
export function nextTryMs(attempts: number, ageMs: number): number | null {
  const waitMs = Math.min(longestMs, firstMs * 2 ** Math.min(30, attempts - 1));
  return ageMs + waitMs > forMs ? null : waitMs;
}
