/** What a usage store promises: how often each token was used, by row and time, and where it was last. Never a request itself. */

/** Requests by how they ended: answered by the upstream or here; refused by the gate; failed, for us or the upstream. */
export type Counts = { readonly passed: number; readonly refused: number; readonly failed: number };

export type UsageCount = Counts & {
  /** '': nobody known. */
  readonly tokenId: string;
  /** Unix ms of the minute's start. */
  readonly minuteMs: number;
  /** '': no row was chosen. */
  readonly route: string;
};

/** The last request of a token that passed. */
export type LastUse = {
  readonly tokenId: string;
  /** Unix ms. */
  readonly at: number;
  readonly address: string;
  readonly route: string;
};

export type UsageKey = 'time' | 'route' | 'token';

export type UsageFilter = {
  /** null: all, those of nobody too. */
  readonly tokenId: string | null;
  /** Unix ms; from the start of the bucket this is in. */
  readonly sinceMs: number;
  /** Minutes are kept for two days, hours for 400. */
  readonly bucket: 'minute' | 'hour';
  readonly by: UsageKey;
  /** 1 to 10,000. By time the newest, else the busiest. */
  readonly limit: number;
};

/** `key`: Unix ms of a bucket's start, a row's id or a token's id, in decimal or as it is. */
export type UsageRow = Counts & { readonly key: string };

export interface UsageStore {
  /** Adds to what is there, all or nothing. @throws StoreFault */
  add(counts: readonly UsageCount[], uses: readonly LastUse[]): Promise<void>;

  /** By time: oldest first; else the busiest first. @throws StoreFault */
  sums(filter: UsageFilter): Promise<readonly UsageRow[]>;

  /** Those that were used at all. @throws StoreFault */
  lastUses(tokenIds: readonly string[]): Promise<readonly LastUse[]>;

  /** Forgets minutes and hours past their time. @throws StoreFault */
  forgetOld(): Promise<void>;
}
