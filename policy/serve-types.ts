/** The nouns of rows that Postern answers itself. Types only: nothing here runs. */
import type { AnnotationType } from './annotation-types.ts';
import type { JsonQuery } from './json-pointer.ts';
import type { ProbeChoice } from './probe-input.ts';
import type { AttributeValue, TokenType } from './token-types.ts';
import type { Segment } from './types.ts';

export type TokenOperation =
  | 'token.create'
  | 'token.list'
  | 'token.revoke'
  | 'token.regenerate'
  | 'token.rotate';

export type ProbeOperation = 'probe.activate' | 'probe.list' | 'probe.deactivate';

export type ServeOperation = TokenOperation | ProbeOperation;

/**
 * Where a value of `with` comes from: the config, the path, the caller's own token, or what the upstream of `confirm`
 * answers, by a JSON pointer (RFC 6901).
 */
export type ServedSource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'param'; readonly param: string }
  | { readonly kind: 'attribute'; readonly name: string }
  | { readonly kind: 'answer'; readonly pointer: string };

/** An attribute that `with` fixes. `list` as the type has it: a list then has each value that is named. */
export type ServedAttribute = {
  readonly name: string;
  readonly list: boolean;
  /** A new token goes without, where its maker has none to pass on. */
  readonly mayLack: boolean;
  readonly from: readonly ServedSource[];
};

/** An attribute of a new token that the answer of `confirm` says. */
export type AnsweredAttribute = {
  readonly name: string;
  readonly required: boolean;
  readonly pointer: string;
};

/** What is read of the answer of `confirm`. */
export type AnsweredRule = {
  readonly attributes: readonly AnsweredAttribute[];
  readonly query: JsonQuery;
};

/** The upstream that is asked before anything is done, and the path it is asked with GET. */
export type ConfirmRule = { readonly upstream: string; readonly segments: readonly Segment[] };

export type ServeRule = TokenRule | ProbeRule;

/** What a row does, and to which tokens alone. */
export type TokenRule = {
  readonly kind: 'token';
  readonly operation: TokenOperation;
  readonly type: TokenType;
  readonly attributes: readonly ServedAttribute[];
  /** null: of the answer of `confirm` only its status counts. */
  readonly answered: AnsweredRule | null;
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

/** What a row does, and to the activations of which type and text alone. */
export type ProbeRule = {
  readonly kind: 'probe';
  readonly operation: ProbeOperation;
  readonly type: AnnotationType;
  /** The text for which the key is derived, and under which activations are kept and counted. */
  readonly derive: ServedSource;
  /** probe.activate: how many there may be at a time. */
  readonly activeMax: number;
  /** probe.activate: the longest lives that may be asked for, in ms. */
  readonly lifeMsMax: number;
  readonly triggerLifeMsMax: number;
  readonly confirm: ConfirmRule | null;
};

/** A `ServeRule` for one request. */
export type Serving = TokenServing | ProbeServing;

export type ProbeServing = {
  readonly kind: 'probe';
  readonly rule: ProbeRule;
  /** What `derive` comes to. */
  readonly subject: string;
  readonly confirmPath: string | null;
  /** probe.activate; the others choose nothing. */
  readonly choice: ProbeChoice | null;
  /** probe.deactivate: which one, as it was sent. */
  readonly activationId: string | null;
  readonly page: Page | null;
};

/** A part of a list; `after` is a cursor as it was given out. */
export type Page = { readonly limit: number; readonly after: string | null };

export type TokenServing = {
  readonly kind: 'token';
  readonly rule: TokenRule;
  /** Without those that the answer of `confirm` says, until it has (`answeredServing`). */
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
  readonly page: Page | null;
};

export type TokenChoice = {
  readonly label: string;
  readonly origins: readonly string[];
  /** null: no end. */
  readonly lifeMs: number | null;
};
