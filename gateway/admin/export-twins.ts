/**
 * Tokens that must not travel alone. One token may stand in two rows, and here the one that ended answers for both
 * (store/token-twins.ts); in a store that gets only the other it would live again. Where nobody can tell, it stays.
 */
import type { KeptToken } from '../../store/token-store.ts';

/** `alike`: only bcrypt could tell whether it is the other. `peppered`: only whoever has the token and both peppers. */
export type MayBeEnded = 'alike' | 'peppered';

/** What is known of those of a type that ended and do not go along. */
type Ended = {
  /** How they begin. */
  readonly lookups: Set<string>;
  /** Whether one does not say how it begins. */
  isBare: boolean;
  /** Whether one is found by a digest that may be another's of the same token. */
  isPeppered: boolean;
};

export class StaysBehind {
  readonly #ended = new Map<string, Ended>();

  /** Of one that ended, or that would end another as soon as it is found to be the same, and is not exported. */
  note({ record: { type, canary }, lookup, mayHide }: KeptToken): void {
    const before = this.#ended.get(type);
    const ended = before ?? { lookups: new Set(), isBare: false, isPeppered: false };
    if (before === undefined) this.#ended.set(type, ended);
    // A canary never says how it begins, and was made here.
    if (lookup !== null) ended.lookups.add(lookup);
    else if (canary !== true) ended.isBare = true;
    if (mayHide) ended.isPeppered = true;
  }

  /** Whether it may be one of those; null: it is not. A row with its digest answers for itself, whatever else it fits. */
  isPerhaps({ record: { type }, digest, lookup, mayHide }: KeptToken): MayBeEnded | null {
    const ended = this.#ended.get(type);
    if (ended === undefined) return null;
    if (digest === null && (ended.isBare || lookup === null || ended.lookups.has(lookup))) return 'alike';
    return mayHide && ended.isPeppered ? 'peppered' : null;
  }
}
