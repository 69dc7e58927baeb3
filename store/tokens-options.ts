/** What a token store is opened with, on any database. */
import type { KeyObject } from 'node:crypto';
import type { VerifierOptions } from './bcrypt-verifier.ts';
import type { Companions } from './companions.ts';
import type { Peppers } from './token-digests.ts';
import type { TokenStore } from './token-store.ts';
import type { TokenWrites } from './token-writing.ts';

/** Something an operator should know; `detail` holds ids and type names, never a token. */
export type StoreAlert = {
  readonly code: 'lookup_overfull' | 'digest_not_written' | 'uses_not_written';
  readonly detail: string;
  readonly cause?: unknown;
};

/** What every token store is opened with. */
export type TokensOptions = {
  /** Only reads: the database must be there and up to date, and every write is a StoreFault. */
  readonly readonly?: boolean;
  /** Unix ms. */
  readonly now: () => number;
  readonly onAlert?: (alert: StoreAlert) => void;
  /** How often uses are written; default 5,000. */
  readonly flushEveryMs?: number;
  readonly verifier?: VerifierOptions;
  /** Of every type whose hash rule names peppers: without them its tokens can be neither found nor made. */
  readonly peppers?: Peppers;
  /**
   * What audit rows are sealed with: the first seals, all of them are tried where the chain is judged. Asked when it is opened to write,
   * and when the chain is judged. Absent or empty: rows are written unsealed. @throws DatabaseRefused where they cannot be read.
   */
  readonly auditKeys?: () => readonly KeyObject[];
};

/** The same changes, done and undone in a transaction of their own: they answer what would be, and leave nothing. */
export type DryStore = {
  readonly tokens: TokenWrites;
  /** An import of its own: it knows what it would have brought in before. */
  readonly startImport: () => TokenStore['import'];
  readonly pins: Companions['pins'];
  readonly probes: Companions['probes'];
  readonly audit: Companions['audit'];
  readonly alerts: Companions['alerts'];
};
