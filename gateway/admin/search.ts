/** Looks through what a store lists, for people: as far as a page takes, and never so far that requests would wait. */

/** As the store lists; `next`: the id to go on after. */
export type Listed<T> = { readonly items: readonly T[]; readonly next: string | null };

export type Search<T> = {
  readonly page: (after: string | null, limit: number) => Promise<Listed<T>>;
  /** null: anything does. */
  readonly fits: ((item: T) => boolean) | null;
  readonly limit: number;
  readonly after: string | null;
};

/** `next`: where to go on; there may be none that fit beyond it. `looked`: at how many. */
export type Found<T> = Listed<T> & { readonly looked: number };

const chunk = 500;
/** So that a page comes at once, whatever is looked for and among how many. */
const lookedMax = 4000;

/** @throws StoreFault */
export async function lookThrough<T extends { readonly id: string }>(search: Search<T>): Promise<Found<T>> {
  const { page, fits, limit } = search;
  const items: T[] = [];
  let { after } = search;
  for (let looked = 0; ; ) {
    const listed = await page(after, fits === null ? limit : chunk);
    for (const item of listed.items) {
      looked++;
      if (fits !== null && !fits(item)) continue;
      items.push(item);
      const isLast = item === listed.items.at(-1) && listed.next === null;
      if (items.length === limit) return { items, next: isLast ? null : item.id, looked };
    }
    if (listed.next === null || looked >= lookedMax) return { items, next: listed.next, looked };
    after = listed.next;
    // Requests at the gate come first.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
