/** When there is something to tell: a minute far beyond what is usual, a place nobody was seen at, a burst of refusals. */
import type { PlaceKind, SpikeRule } from './alert-types.ts';

/** What of the past of a token or bundle id is looked at, in ms before the minute that is judged. */
export type PastSpan = {
  /** What is usual is read from this much. */
  readonly usualMs: number;
  /** The busiest minute is looked for in this much. */
  readonly peakMs: number;
  /** The last of it is left out of both: a spike must not hide itself. */
  readonly unsettledMs: number;
};

const hourMs = 3_600_000;

/** A week; a day, and the hour by which clocks are changed; ten minutes. */
export const pastSpan: PastSpan = { usualMs: 7 * 24 * hourMs, peakMs: 25 * hourMs, unsettledMs: 600_000 };

/** A minute is no spike unless it has this many times the requests of the busiest one before. */
const overPeak = 2;

/** What is known of a token or bundle id within that span. */
export type Past = {
  /** Unix ms of the hour of its first use; null: it was never used. */
  readonly since: number | null;
  /** Requests of each of the last seven days' hours in which it was used at all. */
  readonly hours: readonly number[];
  /** Of the busiest minute in the last 25 hours. */
  readonly peak: number;
};

/** Requests a minute, on average over the hours in which there were any. 0: there were none. */
export function usualOf({ hours }: Past): number {
  return hours.length === 0 ? 0 : hours.reduce((sum, count) => sum + count, 0) / (hours.length * 60);
}

/**
 * From how many requests on a minute is a spike: never below the rule's own number, `times` the usual, and twice the
 * busiest minute of a day; what comes every day or hour is no news, nor is what grows over hours. Infinity: what it
 * does is still being learned.
 *
 * @param now Unix ms.
 */
export function spikeFrom(rule: SpikeRule, past: Past, learnMs: number, now: number): number {
  if (past.since === null || now - past.since < learnMs) return Number.POSITIVE_INFINITY;
  return Math.max(rule.perMinute, rule.times * usualOf(past), overPeak * past.peak);
}

/** Beyond so many places of a kind a token is used anywhere, and one more says nothing. */
export const placesMax = 50;

/** Places of one kind at which a token was seen for the first time. */
export type Newcomers = {
  readonly kind: PlaceKind;
  /** `value` '': none was sent. `at`: Unix ms. */
  readonly places: readonly { readonly value: string; readonly at: number }[];
  /** Unix ms of when the first of the kind was seen, these included. */
  readonly since: number;
  /** How many of the kind are known, these included. */
  readonly known: number;
};

/** The values to tell; empty: the token is new itself, or is used anywhere. */
export function unseenOf({ places, since, known }: Newcomers, learnMs: number): readonly string[] {
  if (known > placesMax) return [];
  return places.filter(({ at }) => at - since >= learnMs).map(({ value }) => value);
}
