/** Measures how long the event loop was away. */

/** The longest time, in ms, between two turns of the event loop while the work went on. */
export async function longestGapMs(work: Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  await work;
  clearInterval(timer);
  return Math.max(longest, performance.now() - last);
}
