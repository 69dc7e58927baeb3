/** The nouns of tokens: their kinds, and what is known of one. Types only: nothing here runs. */

/** `bearer` is the Authorization field (RFC 6750 §2.1); header names are lower case. */
export type Source =
  | { readonly kind: 'bearer' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string };

/** How tokens of a type are kept. `lookupChars` is how many leading characters find a bcrypt row. */
export type HashRule =
  | {
      readonly use: 'sha256';
      /**
       * Digests are keyed with a pepper, which policy never sees. `or_none`: rows made without one are
       * found too. Absent: no pepper.
       */
      readonly pepper?: 'always' | 'or_none';
    }
  | {
      readonly use: 'bcrypt';
      readonly cost: number;
      readonly lookupChars: number;
      /** `then: sha256`: the first success also writes the digest, so bcrypt is paid once per token. */
      readonly thenSha256: boolean;
    };

/** What an unsafe request with a cookie must carry: `header` (lower case), equal to the token's `attribute`. */
export type CsrfRule = { readonly header: string; readonly attribute: string };

/** What is known of how a credential was presented. */
export type Presentation = {
  readonly source: Source;
  /** Its type leaves verifying to the upstream: no record stands behind it. Absent: Postern looked for one. */
  readonly unverified?: string;
  /** Every value of the header that `csrf` of the type names; empty where it names none. */
  readonly csrf: readonly string[];
};

export type AttributeRule = { readonly required: boolean; readonly list: boolean };

/** What was not used for `forMs` has expired; `leewayMs` is how late a use may be known. */
export type UnusedRule = { readonly forMs: number; readonly leewayMs: number };

/** One kind of token, as the config defines it. */
export type TokenType = {
  readonly name: string;
  /** What new tokens start with; '' where the type has none. */
  readonly prefix: string;
  /** `prefix` and its aliases, all accepted; empty where the type has no prefix. */
  readonly prefixes: readonly string[];
  /** `<id>|<random>`: found by the id, which the store knows as external id. Absent: opaque after the prefix. */
  readonly format?: 'id_pipe_random';
  /** `upstream`: judged by its shape alone, and forwarded as it came. Absent: Postern verifies it. */
  readonly verify?: 'upstream';
  /** Every token ends in the CRC32 of what stands before it; one that does not is refused unread. */
  readonly checksum?: true;
  /** For minting only; what follows the prefix is opaque on verify. */
  readonly issue: {
    readonly length: number;
    readonly alphabet: 'base62' | 'hex' | 'base64url';
    /** Words, in lower case, that stand in no new token, in no case; absent: none beside those that never do. */
    readonly avoid?: readonly string[];
  };
  readonly hash: HashRule;
  readonly sources: readonly Source[];
  /** `fixed`: every token of the type has exactly these. Otherwise each token chooses from `grantable`. */
  readonly scopes: { readonly fixed: readonly string[] } | { readonly grantable: readonly string[] };
  readonly attributes: ReadonlyMap<string, AttributeRule>;
  /** Absent: the type has no cookie source, or `csrf: off`. */
  readonly csrf?: CsrfRule;
  /** Absent: a token that nobody uses does not end for that. */
  readonly unused?: UnusedRule;
};

export type AttributeValue = string | readonly string[];

/** What the store knows of a token; never its plaintext or digest. Times are Unix ms; null means "never set". */
export type TokenRecord = {
  readonly id: string;
  readonly type: string;
  readonly label: string;
  /** The first characters, for people to recognise it by. */
  readonly preview: string;
  /** As granted at creation; what they mean today is `effectiveScopes`. */
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** Serialised origins (RFC 6454); empty: not pinned. */
  readonly origins: readonly string[];
  readonly externalId: string | null;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly notBefore: number | null;
  readonly expiresAt: number | null;
  readonly lastUsedAt: number | null;
  /** Id of the successor after a rotation. */
  readonly rotatedTo: string | null;
  /** After a rotation: when this token stops working. */
  readonly retireAt: number | null;
  readonly disabledAt: number | null;
  readonly revokedAt: number | null;
  readonly revokedBy: string | null;
  readonly revokedReason: string | null;
  /** Grows by one with each change of the record. */
  readonly version: number;
  /** It grants nothing, for good: whoever presents it is told of. Absent: a token like any other. */
  readonly canary?: true;
};
