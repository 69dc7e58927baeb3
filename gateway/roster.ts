/**
 * Things that come and go with every request, to be found again all together. An array: a Set that everything passes
 * through is ever given new tables, and the old ones, which only a full collection ends, keep alive whatever was in them.
 */

export type Listed = {
  /** Where it stands; -1: it is not on the list. */
  at: number;
};

export class Roster<T extends Listed> {
  readonly #all: T[] = [];

  get size(): number {
    return this.#all.length;
  }

  /** In no order. */
  get all(): readonly T[] {
    return this.#all;
  }

  add(one: T): void {
    one.at = this.#all.length;
    this.#all.push(one);
  }

  /** Whether it was on the list. */
  remove(one: T): boolean {
    const { at } = one;
    if (at === -1) return false;
    const last = this.#all.pop();
    if (last !== undefined && last !== one) {
      this.#all[at] = last;
      last.at = at;
    }
    one.at = -1;
    return true;
  }
}
