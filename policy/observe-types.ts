/** The nouns of rows whose upstream's success changes something here. Types only: nothing here runs. */
import type { JsonQuery } from './json-pointer.ts';
import type { JsonFound } from './json-scan.ts';
import type { AttributeValue, TokenType } from './token-types.ts';

/**
 * Where a value stands: in the config, the path, the caller's own token, a header of the request (lower case), or the
 * answer (RFC 6901).
 */
export type ObservedSource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'param'; readonly param: string }
  | { readonly kind: 'attribute'; readonly name: string }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'json'; readonly pointer: string };

/** `otherwise` where nothing stands there; null: then there is no value. */
export type ObservedValue = {
  readonly from: ObservedSource;
  readonly otherwise: string | null;
  /** What else stands there is nothing; absent: anything that can be a value is one. */
  readonly among?: readonly string[];
};

/** `list` as the type has it; `needed`: without a value the answer cannot be read. */
export type ObservedAttribute = ObservedValue & {
  readonly name: string;
  readonly list: boolean;
  readonly needed: boolean;
};

/** Where an answer holds a token. */
export type SecretSource =
  | { readonly kind: 'json'; readonly pointer: string }
  | { readonly kind: 'set-cookie'; readonly name: string };

/** The text at `pointer` in the JSON answer becomes a pin's value. */
export type ObservedPin = {
  readonly kind: 'pin';
  readonly pin: string;
  /** What the pin belongs to: the name of an attribute, or `token`. */
  readonly owner: string;
  /** The path parameter that says which one. */
  readonly param: string;
  /** RFC 6901. */
  readonly pointer: string;
};

/** A token that the upstream has made is one of ours from now on. */
export type ObservedToken = {
  readonly kind: 'token';
  /** The type's name. */
  readonly type: string;
  readonly from: SecretSource;
  readonly attributes: readonly ObservedAttribute[];
  /** What it may do; empty where the type's scopes are fixed. */
  readonly scopes: readonly string[];
  /** null: it is called as its type. */
  readonly label: ObservedValue | null;
  /** null: it has no end of its own. */
  readonly lifeMs: number | null;
  /** All others of the type with the same of these end with it; empty: none does. */
  readonly insteadOf: readonly string[];
};

/** All tokens of a type with these attributes end. */
export type ObservedEnd = {
  readonly kind: 'end';
  readonly type: string;
  readonly attributes: readonly ObservedAttribute[];
};

/** The token that asked ends. */
export type ObservedCaller = { readonly kind: 'caller' };

export type Observe = ObservedPin | ObservedToken | ObservedEnd | ObservedCaller;

/** What a 2xx of the upstream changes on a row, and what has to be looked at for it. */
export type ObserveRule = {
  readonly entries: readonly Observe[];
  /** null: nothing is read from the body, which may then be anything. */
  readonly query: JsonQuery | null;
  /** Fields of the request, lower case. */
  readonly fields: readonly string[];
  /** Names of Set-Cookie fields of the answer. */
  readonly cookies: readonly string[];
};

/** An `ObserveRule` for one request. */
export type Observing = { readonly rule: ObserveRule; readonly params: ReadonlyMap<string, string> };

/** What was found of it, by pointer, field and cookie; of fields and cookies every value. */
export type Answered = {
  readonly found: ReadonlyMap<string, JsonFound>;
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly cookies: ReadonlyMap<string, readonly string[]>;
};

/** A token as the answer gives it. `plaintext` has not been looked at: whether it is of the type is the gateway's to say. */
export type LearnedToken = {
  readonly kind: 'learn';
  readonly type: TokenType;
  readonly plaintext: string;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** Those of the attributes by which the answer itself says whose it is. */
  readonly owners: readonly string[];
  readonly scopes: readonly string[];
  readonly label: string;
  readonly lifeMs: number | null;
  /** null: no other ends. */
  readonly insteadOf: ReadonlyMap<string, AttributeValue> | null;
};

/** `value` null: let go. */
export type ObservedChange =
  | {
      readonly kind: 'pin';
      readonly pin: string;
      readonly subject: string;
      readonly value: string | null;
    }
  | { readonly kind: 'revoke'; readonly id: string }
  | {
      readonly kind: 'end';
      readonly type: TokenType;
      readonly attributes: ReadonlyMap<string, AttributeValue>;
    }
  | LearnedToken;

export type ObservedChanges =
  | { readonly ok: true; readonly changes: readonly ObservedChange[] }
  /** It cannot be told. `reason` holds nothing of the answer. */
  | { readonly ok: false; readonly reason: string };
