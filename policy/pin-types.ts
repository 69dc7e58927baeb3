/** The nouns of origin pins: lists that tokens carry, and lists that belong to rows. Types only: nothing here runs. */

/** How the list on a token is enforced. */
export type OriginPin = {
  readonly kind: 'origin';
  readonly name: string;
  /** What a request without Origin gets, where there is a list. */
  readonly whenMissing: 'allow' | 'deny';
  /** As on a limit. */
  readonly monitorUntil?: number;
};

/** A list of the config's own: it holds for every caller of the rows that name it, whatever lets them in. */
export type OriginList = {
  readonly kind: 'origin_list';
  readonly name: string;
  /** Serialised (RFC 6454 §6.2), each once; never empty. */
  readonly allow: readonly string[];
  readonly whenMissing: 'allow' | 'deny';
  /** As on a limit. */
  readonly monitorUntil?: number;
};
