/** The middle one: what a round costs when nothing else got in the way of more than half of them. */
export function medianOf(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[figures.length >> 1] ?? 0;
}
