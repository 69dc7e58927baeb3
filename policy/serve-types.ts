/** The nouns of rows that Postern answers itself. Types only: nothing here runs. */
import type { AttributeValue, TokenType } from './token-types.ts';
import type { Segment } from './types.ts';

export type ServeOperation =
  | 'token.create'
  | 'token.list'
  | 'token.revoke'
  | 'token.regenerate'
  | 'token.rotate';

/** Where a value of `with` comes from: the config, the path, or the caller's own token. */
export type ServedSource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'param'; readonly param: string }
  | { readonly kind: 'attribute'; readonly name: string };

/** An attribute that `with` fixes. `list` as the type has it: a list then has each value that is named. */
export type ServedAttribute = {
  readonly name: string;
  readonly list: boolean;
  /** A new token goes without, where its maker has none to pass on. */
  readonly mayLack: boolean;
  readonly from: readonly ServedSource[];
};

/** The upstream that is asked before anything is done, and the path it is asked with GET. */
export type ConfirmRule = { readonly upstream: string; readonly segments: readonly Segment[] };

/** What a row does, and to which tokens alone. */
export type ServeRule = {
  readonly operation: ServeOperation;
  readonly type: TokenType;
  readonly attributes: readonly ServedAttribute[];
  /**
   * null: not written; a new token then has what its type always has, or what the one before it had. `caller`: those
   * of its maker that the type may have.
   */
  readonly scopes: readonly string[] | 'caller' | null;
  /** The path parameter that holds the id; null: the operation takes none. */
  readonly tokenParam: string | null;
  /** token.regenerate: for how long the tokens before may still work, if the caller asks for it, in ms; 0: not at all. */
  readonly graceMsMax: number;
  /** token.rotate: for how long the token before still works, in ms. */
  readonly overlapMs: number;
  /** token.create: the longest life of a token, and of one whose maker does not choose, in ms; null: no end. */
  readonly lifeMsMax: number | null;
  readonly confirm: ConfirmRule | null;
};

/** A `ServeRule` for one request. */
export type Serving = {
  readonly rule: ServeRule;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** As in the rule, for this caller. */
  readonly scopes: readonly string[] | null;
  readonly tokenId: string | null;
  /** token.regenerate: for how long the tokens before still work, in ms. */
  readonly graceMs: number;
  /** What the upstream is asked first; null: nothing. */
  readonly confirmPath: string | null;
  /** What the caller chose of a new token; the others choose nothing. */
  readonly choice: TokenChoice | null;
  /** token.list: which page. */
  readonly page: { readonly limit: number; readonly after: string | null } | null;
};

export type TokenChoice = {
  readonly label: string;
  readonly origins: readonly string[];
  /** null: no end. */
  readonly lifeMs: number | null;
};
