/** The nouns of rows that read their body or ask a bundle pin. Types only: nothing here runs. */
import type { JsonQuery } from './json-pointer.ts';
import type { JsonCut, JsonFound } from './json-scan.ts';

/** Where an id stands in a request; header names are lower case. */
export type PinSource =
  | { readonly kind: 'json'; readonly pointer: string }
  | { readonly kind: 'header'; readonly name: string };

/** The id a token's project, or the token, is used under: kept at first use, compared from then on. */
export type BundlePin = {
  readonly kind: 'bundle_id';
  readonly name: string;
  /** All that are present must agree; once pinned, the first must be. */
  readonly from: readonly PinSource[];
  /** `deny`: only what an operator has pinned passes. */
  readonly firstUse: 'pin' | 'deny';
  /** Whose pin it is. */
  readonly belongsTo: { readonly kind: 'token' } | { readonly kind: 'attribute'; readonly name: string };
  readonly whenMissing: 'deny' | 'allow_unless_pinned' | 'allow';
  /** Whether the refused are shown what is pinned, but for its first character. */
  readonly revealMasked: boolean;
  /** `mode: monitor`: until this instant (Unix ms) it only watches. Absent: it is enforced. */
  readonly monitorUntil?: number;
};

/** What a row must know of its body before it is a yes: all of it is read, and scanned once. */
export type BodyRule = {
  /** Longer is refused; never more than `bufferBytesMax`. */
  readonly bytesMax: number;
  readonly query: JsonQuery;
  /** Pointers of the members that never go on; absent: the body goes on as it came. */
  readonly cut?: readonly string[];
  /** No body stands for `{}`. */
  readonly mayBeEmpty?: true;
};

declare const scanned: unique symbol;

/** A body that is whole and JSON, and what stands at the rule's pointers. Only `readBody` makes one. */
export type Reading = {
  readonly [scanned]: true;
  readonly rule: BodyRule;
  /** By pointer; one that is not in it points at nothing. */
  readonly found: ReadonlyMap<string, JsonFound>;
  /** What must not go on of it, in order. */
  readonly cuts: readonly JsonCut[];
};

/** A pin to be asked before a yes. `subject` is whose; null: the token does not say. */
export type PinOwed = { readonly pin: BundlePin; readonly subject: string | null };

declare const agreed: unique symbol;

/** What an upstream may be told of a pin; null: nothing is pinned, or nothing was sent that could be. */
export type PinStanding = {
  readonly pinned: string | null;
  readonly sent: string | null;
  /** Whether this request pinned it. */
  readonly isFirst: boolean;
};

/** A pin that has nothing against the request, or only watches it. Only policy/bundle-pin.ts makes one. */
export type PinEvidence = {
  readonly [agreed]: true;
  readonly owed: PinOwed;
  readonly standing: PinStanding;
};
