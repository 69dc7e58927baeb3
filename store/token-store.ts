/** What a token store promises, whatever database is under it. */
import type { AttributeValue, TokenRecord, TokenType } from '../policy/token-types.ts';
import type { AskedRetirement } from './retirement-store.ts';

/** What a new token is to be. Times are Unix ms. */
export type NewToken = {
  readonly type: TokenType;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly origins: readonly string[];
  readonly expiresAt: number | null;
  readonly createdBy: string;
  /** Absent: a token like any other. */
  readonly canary?: true;
};

/** The one moment a plaintext leaves the store. */
export type CreatedToken = { readonly record: TokenRecord; readonly plaintext: string };

/**
 * A row brought from elsewhere. `sha256` is hex, of the whole token or, for `<id>|<random>`, of what follows the first `|`; the
 * external id is then the id, and never null. Beside `bcrypt`, it is of a token that was found since. `digest`: as a store with the same
 * peppers kept it.
 */
export type ImportedToken = {
  readonly type: TokenType;
  readonly hash:
    | { readonly sha256: string }
    | { readonly digest: string }
    | { readonly bcrypt: string; readonly lookup: string; readonly sha256?: string };
  readonly externalId: string | null;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly origins: readonly string[];
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
  readonly createdBy: string;
  readonly canary?: true;
  /** What people recognise it by; absent: as much of its beginning as is known. */
  readonly preview?: string;
  /** What has happened to it since; absent: nothing. */
  readonly life?: ImportedLife;
};

/** Times are Unix ms; null: never. */
export type ImportedLife = {
  readonly lastUsedAt: number | null;
  readonly retireAt: number | null;
  readonly disabledAt: number | null;
  readonly revokedAt: number | null;
  readonly revokedReason: string | null;
};

/** Of a token that is there: what is absent stays. Times are Unix ms. */
export type TokenChange = {
  readonly label?: string;
  readonly origins?: readonly string[];
  /** null: never. */
  readonly expiresAt?: number | null;
  readonly attributes?: ReadonlyMap<string, AttributeValue>;
  /** What the audit says of them, which has no secret in it; absent: only their names. */
  readonly told?: Readonly<Record<string, unknown>>;
  readonly scopes?: readonly string[];
  /** Only if its version is one of these when it is written; absent: whatever it is. */
  readonly ifVersions?: readonly number[];
};

/** It was changed by somebody else, and stays so. */
export type ChangedSince = 'changed_since';

export type Rotation =
  | {
      readonly kind: 'rotated';
      readonly created: CreatedToken;
      readonly before: TokenRecord;
      /** What `whenQuiet` asked for; null: it was not. */
      readonly retirement: AskedRetirement | null;
    }
  /** It is dead, disabled, or has a successor already: nothing was changed. */
  | { readonly kind: 'refused'; readonly record: TokenRecord };

/** One token instead of all that live of a type with these attributes. */
export type Regeneration = {
  readonly type: TokenType;
  /** What the new token has, and those that it replaces have among theirs. */
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** null: those of the newest that lives, or none. */
  readonly scopes: readonly string[] | null;
  /** For the case that none lives; else label, origins and expiry are those of the newest. */
  readonly label: string;
  /** For how long those that live may still be used; 0: they are revoked. */
  readonly graceMs: number;
  readonly by: string;
};

/** `replaced`: the ids of those that came to their end by it, or will at the end of the grace. */
export type Regenerated = { readonly created: CreatedToken; readonly replaced: readonly string[] };

/** A token that others made, as they gave it out. `plaintext` is digested and let go. */
export type LearnedToken = NewToken & {
  readonly plaintext: string;
  /** All others of the type with these are revoked with it; null: none is. Never without any. */
  readonly insteadOf: ReadonlyMap<string, AttributeValue> | null;
  /** Why those end. */
  readonly reason: string;
};

/** `replaced`: how many ended. `known`: it is here already, dead or alive, and nothing was changed. `taken`: its digest or id is another token's. */
export type Learned =
  | { readonly kind: 'learned'; readonly record: TokenRecord; readonly replaced: number }
  | { readonly kind: 'known'; readonly record: TokenRecord }
  | { readonly kind: 'taken' };

/** All tokens of a type with these attributes, of which there is one at least. */
export type Ending = {
  readonly type: TokenType;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly by: string;
  readonly reason: string;
};

/** Tokens that were revoked, expired or retired before; never one that lives. */
export type TokenPurge = {
  /** Unix ms. */
  readonly endedBeforeMs: number;
  /** Types whose tokens stay. */
  readonly but: readonly string[];
  readonly by: string;
};

export type TokensPurged = {
  readonly purged: number;
  /** Those that ended as long ago and stay, for the same token may live in another row. */
  readonly leftOut: {
    /** Another row of the type begins alike, or does not say how it begins, and only bcrypt could tell whether it is the same. */
    readonly alike: number;
    /** `hash.pepper` of their type lists more than one way in which it could be kept. */
    readonly peppered: number;
  };
};

/** Tokens that have all of these; null: of any type. */
export type ExportFilter = {
  readonly type: string | null;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
};

/** A record, and what is kept to find it by: never the token, and nothing to make one of. */
export type KeptToken = {
  readonly record: TokenRecord;
  readonly digest: string | null;
  readonly bcrypt: string | null;
  readonly lookup: string | null;
  /** Whether its type is looked for under more than one digest: another row may be the same token under another one. */
  readonly mayHide: boolean;
};

export type ListFilter = {
  readonly type?: string;
  /** Tokens that have all of these; of a list attribute, each value that is named. */
  readonly attributes?: ReadonlyMap<string, AttributeValue>;
  /** Only those that were neither used nor came since then, and are not revoked. Unix ms. */
  readonly unusedSince?: number;
  /** Only those whose expiry or overlap ends later than `after` and no later than `until`, and that are not revoked. Unix ms. */
  readonly ends?: { readonly after: number; readonly until: number };
  /** Only those that have a successor. */
  readonly rotated?: true;
  /** Opaque cursor from the page before. */
  readonly after?: string;
  /** 1 to 1000. */
  readonly limit: number;
  /** Absent: oldest first. */
  readonly newestFirst?: boolean;
};

export type TokenPage = { readonly tokens: readonly TokenRecord[]; readonly next: string | null };

export interface TokenStore {
  /**
   * The record a presented token stands for, read from the database now; null: there is none.
   * State (revoked, expired) is not judged here; of several rows that are the same token the one is found that ended, or ends
   * first. Resolves at once where no wait is needed.
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

  /**
   * A successor with the same type, label, scopes, attributes, origins and expiry; the token itself ends after
   * `overlapMs` (0: it is revoked). As durable as a revoke. Refused for a canary. null: no such id, or it is of another type.
   *
   * @param whenQuiet whether it is to end before, once nobody needs it: see RetirementStore.
   */
  rotate(
    id: string,
    type: TokenType,
    overlapMs: number,
    by: string,
    whenQuiet?: boolean,
  ): Promise<Rotation | null>;

  /**
   * In one transaction, so that there is no moment with none or two, however many do it at once. Tokens that
   * are disabled or expired are revoked as well: nobody can bring them back beside the new one. Canaries stay, and lend
   * nothing to the new one. As durable as a revoke.
   */
  regenerate(regeneration: Regeneration): Promise<Regenerated>;

  /** As durable as a revoke. A revoked token stays as it is. null: no such id. */
  update(id: string, change: TokenChange, by: string): Promise<TokenRecord | ChangedSince | null>;

  /** Refused from now on, until it is enabled. As durable as a revoke; a revoked token stays as it is. null: no such id. */
  disable(id: string, by: string): Promise<TokenRecord | null>;

  enable(id: string, by: string): Promise<TokenRecord | null>;

  /**
   * Keeps the digest of a token that others made, and ends those it stands instead of, in one transaction. A token that
   * was revoked here stays so. As durable as a revoke. Not for types kept as bcrypt alone.
   */
  learn(token: LearnedToken): Promise<Learned>;

  /** Revokes all that are not revoked yet, the disabled and the expired too but no canary, and says how many. As durable as a revoke. */
  endAll(ending: Ending): Promise<number>;

  /** Commits in chunks of 500 at most. A row whose digest or external id exists, or was purged, is skipped. */
  import(rows: readonly ImportedToken[]): Promise<{ imported: number; skipped: number }>;

  /**
   * Removes them for good, in chunks of 500 at most, with their attributes, their usage and their own pins; audit rows stay. None of
   * them can be imported or learned again under the same hash. @throws StoreFault; chunks before it are gone.
   */
  purge(purge: TokenPurge): Promise<TokensPurged>;

  /** Every token there is, page by page. @throws StoreFault */
  kept(filter: ExportFilter): AsyncIterable<readonly KeptToken[]>;

  /** Notes a use; coalesced, forward-only, flushed every few seconds. No I/O here. */
  touch(id: string, atMs: number): void;

  /** Whether reads work right now. */
  health(): { readonly ok: boolean; readonly reason: string | null };

  /** Bcrypt verifications waiting or running, for metrics. */
  verifierDepth(): number;

  /** Flushes what `touch` noted and closes everything. */
  close(): Promise<void>;
}
