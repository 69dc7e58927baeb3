/** What a store of sightings promises: where each token was seen, and how often what usage does not count. Never a request itself. */
import type { Past, PastSpan } from '../policy/alert-rules.ts';
import type { PlaceKind } from '../policy/alert-types.ts';

/** A token at a place. */
export type Sighting = {
  readonly tokenId: string;
  readonly kind: PlaceKind;
  /** '': none was sent. Its first 200 characters are kept. */
  readonly value: string;
  /** Unix ms. */
  readonly at: number;
};

/** `bundle`: requests let through under a bundle id; `network`: refusals of nobody known, from a network. */
export type TallyKind = 'bundle' | 'network';

export type Tally = {
  readonly kind: TallyKind;
  readonly subject: string;
  /** Unix ms of the minute's start. */
  readonly minuteMs: number;
  readonly count: number;
};

/** Places of a token that were seen for the first time and have not been judged yet. */
export type Newcomer = {
  readonly tokenId: string;
  readonly kind: PlaceKind;
  readonly places: readonly { readonly value: string; readonly at: number }[];
  /** Unix ms of when the first place of the kind was seen, these included. */
  readonly since: number;
  /** How many of the kind are known, these included. */
  readonly known: number;
};

/** Whose minutes these are. */
export type Counted = { readonly by: 'token' | TallyKind; readonly subject: string };

/** A minute in which much happened: `passed` also where the upstream failed. */
export type BusyMinute = Counted & {
  readonly minuteMs: number;
  readonly passed: number;
  readonly refused: number;
};

/** How much is much, in a minute. */
export type BusyFrom = {
  readonly passed: number;
  readonly refusedOfToken: number;
  readonly refusedOfNetwork: number;
};

export interface SightingStore {
  /**
   * Adds to what is there, by any number of processes. A token that has `placesMax` places of a kind gets no more of it;
   * those that come at once do not know of each other.
   *
   * @throws StoreFault
   */
  add(sightings: readonly Sighting[], tallies: readonly Tally[], placesMax: number): Promise<void>;

  /** At most `limit` places' worth, the longest waiting first. @throws StoreFault */
  newcomers(limit: number): Promise<readonly Newcomer[]>;

  /** Their places have been judged. @throws StoreFault */
  judged(newcomers: readonly Newcomer[]): Promise<void>;

  /** Their places are to be judged again then, not before. @param untilMs Unix ms. @throws StoreFault */
  postpone(newcomers: readonly Newcomer[], untilMs: number): Promise<void>;

  /** Minutes since then with so much, the busiest first, 5,000 at most. Infinity: never much. @throws StoreFault */
  busy(sinceMs: number, from: BusyFrom): Promise<readonly BusyMinute[]>;

  /** What is known of each before the minute. @throws StoreFault */
  pasts(counted: readonly Counted[], minuteMs: number, span: PastSpan): Promise<readonly Past[]>;

  /** Forgets counts past their time, and places where nobody was for 90 days. @throws StoreFault */
  forgetOld(): Promise<void>;
}
