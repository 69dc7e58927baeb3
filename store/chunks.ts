/** Cuts large work into parts that are done one by one; knows nothing of the work. */

export const chunkSize = 500;

/** Large work must not hold the lock, nor be lost whole, so each chunk commits by itself. */
export function chunksOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  const chunks: (readonly T[])[] = [];
  for (let start = 0; start < items.length; start += chunkSize) {
    chunks.push(items.slice(start, start + chunkSize));
  }
  return chunks;
}
