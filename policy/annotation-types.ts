/** Nouns of what reaches the upstream without a record behind it. Types only, like types.ts. */
import type { Source } from './token-types.ts';

/**
 * A kind of signed token that says something of a request and opens nothing. Read on every row of the apis that
 * list it, forwarded as it came. Its keys are the gateway's to know.
 */
export type AnnotationType = {
  readonly name: string;
  readonly prefix: string;
  /** Headers and query names, of no other type; the first that holds anything is looked at. */
  readonly sources: readonly Source[];
  /** The payload's field that says until when it holds. */
  readonly expires: string;
};

/** What right signed tokens say: by type, then by the payload's field. */
export type Annotations = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** A credential that only the upstream can verify: of what type it looks, and where it stood. */
export type Unverified = { readonly type: string; readonly source: Source };
