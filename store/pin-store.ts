/** What a pin store promises: one value per pin and subject, whoever came first. */

/** `subject` is whose pin it is, spelled so that no two subjects share one: `project=prj_a`, `token=tok_…`. */
export type PinKey = { readonly pin: string; readonly subject: string };

/** Values are opaque, well-formed Unicode without U+0000, and kept as they are: `pinValueOf` of policy checks both. */
export type PinRecord = PinKey & {
  readonly value: string;
  /** Unix ms. */
  readonly pinnedAt: number;
  /** Id of the token of the first use, or who changed it. */
  readonly pinnedBy: string;
  /** Grows by one with each change; goes on after the pin was let go and pinned anew. */
  readonly version: number;
};

/** What is pinned after a first use: `isFirst` if this very use pinned it, and not one that was a moment earlier. */
export type FirstUse = { readonly pin: PinRecord; readonly isFirst: boolean };

/** null: no filter; `after` is the `next` of the page before. */
export type PinFilter = {
  readonly pin: string | null;
  readonly subject: string | null;
  readonly after: string | null;
  /** 1 to 1000. */
  readonly limit: number;
};

export type PinPage = { readonly pins: readonly PinRecord[]; readonly next: string | null };

/** null: nothing was pinned, or is. */
export type ReplacedPin = { readonly before: PinRecord | null; readonly now: PinRecord | null };

export interface PinStore {
  /** Read from the database now; null: nothing is pinned. @throws StoreFault if we cannot tell. */
  read(key: PinKey): PinRecord | null | Promise<PinRecord | null>;

  /**
   * Pins `value` where nothing is pinned, and answers with what is pinned then. Of any number of first uses,
   * in any number of processes, one value wins. Durable, with an audit row, when it resolves. @throws StoreFault
   */
  pinFirst(key: PinKey, value: string, by: string): Promise<FirstUse>;

  /**
   * Sets another value, or with null lets go, so that the next first use pins anew. Durable, seen by every later
   * `read` in any process, with an audit row in the same transaction, when it resolves. What is so already
   * stays as it is, without an audit row.
   *
   * @returns what was pinned before; null: nothing. @throws StoreFault
   */
  change(key: PinKey, value: string | null, by: string, reason: string | null): Promise<PinRecord | null>;

  /** As `change`, and says as well what is pinned now, as it was in that transaction. @throws StoreFault */
  replace(key: PinKey, value: string | null, by: string, reason: string | null): Promise<ReplacedPin>;

  /** In order of pin, then subject; what was let go is not in it. @throws StoreFault */
  list(filter: PinFilter): PinPage | Promise<PinPage>;
}
