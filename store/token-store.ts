/** What a token store promises, whatever database is under it. */
import type { AttributeValue, TokenRecord, TokenType } from '../policy/types.ts';

/** What a new token is to be. Times are Unix ms. */
export type NewToken = {
  readonly type: TokenType;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly origins: readonly string[];
  readonly expiresAt: number | null;
  readonly createdBy: string;
};

/** The one moment a plaintext leaves the store. */
export type CreatedToken = { readonly record: TokenRecord; readonly plaintext: string };

/**
 * A row brought from elsewhere: exactly one of `sha256` or `bcrypt`. `sha256` is hex, of the whole token
 * or, for `<id>|<random>`, of what follows the first `|`; the external id is then the id, and never null.
 */
export type ImportedToken = {
  readonly type: TokenType;
  readonly hash: { readonly sha256: string } | { readonly bcrypt: string; readonly lookup: string };
  readonly externalId: string | null;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly origins: readonly string[];
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
  readonly createdBy: string;
};

export type ListFilter = {
  readonly type?: string;
  /** Opaque cursor from the page before. */
  readonly after?: string;
  /** 1 to 1000. */
  readonly limit: number;
};

export type TokenPage = { readonly tokens: readonly TokenRecord[]; readonly next: string | null };

export interface TokenStore {
  /**
   * The record a presented token stands for, read from the database now; null: there is none.
   * State (revoked, expired) is not judged here. Resolves at once where no wait is needed.
   *
   * @throws StoreFault `store_unavailable` if we cannot tell; `verifier_busy` if the bcrypt queue is full.
   */
  find(plaintext: string, types: readonly TokenType[]): TokenRecord | null | Promise<TokenRecord | null>;

  /** Whether this process has verified exactly this token before (it may be revoked since). No I/O. */
  verifiedBefore(plaintext: string): boolean;

  byId(id: string): TokenRecord | null | Promise<TokenRecord | null>;

  /** The records of these ids, read now; one that is missing was never there. For streams under way. */
  byIds(ids: readonly string[]): readonly TokenRecord[] | Promise<readonly TokenRecord[]>;

  list(filter: ListFilter): TokenPage | Promise<TokenPage>;

  /** Durable when it resolves. @throws StoreFault */
  create(token: NewToken): Promise<CreatedToken>;

  /**
   * Durable, and seen by every later `find` in any process, when it resolves. Revoking a
   * revoked token changes nothing and returns it as it is; null: no such id.
   */
  revoke(id: string, by: string, reason: string | null): Promise<TokenRecord | null>;

  /** Commits in chunks of 500 at most. A row whose digest or external id exists is skipped. */
  import(rows: readonly ImportedToken[]): Promise<{ imported: number; skipped: number }>;

  /** Notes a use; coalesced, forward-only, flushed every few seconds. No I/O here. */
  touch(id: string, atMs: number): void;

  /** Whether reads work right now. */
  health(): { readonly ok: boolean; readonly reason: string | null };

  /** Bcrypt verifications waiting or running, for metrics. */
  verifierDepth(): number;

  /** Flushes what `touch` noted and closes everything. */
  close(): Promise<void>;
}
