/** Sightings in whatever database holds the tokens. All is asked by the writer: what is judged every few seconds keeps no request waiting. */
import type { Past, PastSpan } from '../policy/alert-rules.ts';
import type { PlaceKind } from '../policy/alert-types.ts';
import { chunksOf } from './chunks.ts';
import { keptText } from './kept-text.ts';
import type { Change } from './schema.ts';
import type {
  BusyMinute,
  Counted,
  Newcomer,
  Sighting,
  SightingStore,
  Tally,
  TallyKind,
} from './sighting-store.ts';
import {
  addPlaces,
  addTallies,
  forgetPlaces,
  forgetTallies,
  markPlaces,
  type PlaceRow,
  selectBusyTallies,
  selectBusyTokens,
  selectDuePlaces,
  selectHours,
  selectKnown,
  selectPeak,
  selectSince,
} from './sighting-writes.ts';
import { bucketSeconds } from './usage-writes.ts';
import type { StatementResult } from './writer-thread.ts';

export type SightingRooms = {
  /** Unix ms. */
  readonly now: () => number;
  /** All of the batch in one transaction, or none; durable when it resolves. */
  readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PLACES_KEPT_MS = 90 * DAY_MS;
const MINUTES_KEPT_MS = 2 * DAY_MS;
const HOURS_KEPT_MS = 9 * DAY_MS;
/** Of a network only the last minutes are asked for. */
const NETWORKS_KEPT_MS = HOUR_MS;
/** Statements of one transaction: others want to write, and requests want the thread that words them. */
const AT_ONCE = 100;
const ASKED_AT_ONCE = 10;

type Row = Readonly<Record<string, string | number | null>>;

export function createSightings({ now, write }: SightingRooms): SightingStore {
  return {
    async add(sightings, tallies, placesMax) {
      for (const part of partsOf(eachOnce(sightings))) await write([addPlaces(part, placesMax)]);
      const batch = Object.values(bucketSeconds).flatMap((seconds) =>
        chunksOf(inBuckets(tallies, seconds)).map((part) => addTallies(part, seconds)),
      );
      if (batch.length > 0) await write(batch);
    },

    async newcomers(limit) {
      const [due] = await write([selectDuePlaces(now(), limit)]);
      const newcomers: Newcomer[] = [];
      for (const part of partsOf(groupsOf(rowsOf(due) as unknown as readonly PlaceRow[]))) {
        const known = await write(part.map(selectKnown));
        for (const [index, one] of part.entries()) {
          const [row] = rowsOf(known[index]);
          newcomers.push({ ...one, since: Number(row?.since), known: Number(row?.known) });
        }
      }
      return newcomers;
    },

    async judged(newcomers) {
      if (newcomers.length > 0) await write(newcomers.map((one) => markPlaces(one, null)));
    },

    async postpone(newcomers, untilMs) {
      if (newcomers.length > 0) await write(newcomers.map((one) => markPlaces(one, untilMs)));
    },

    async busy(sinceMs, from) {
      const [ofTokens, ofTallies] = await write([
        selectBusyTokens(sinceMs, from),
        selectBusyTallies(sinceMs, from),
      ]);
      return [...rowsOf(ofTokens).map(minuteOfToken), ...rowsOf(ofTallies).map(minuteOfTally)];
    },

    async pasts(counted, minuteMs, span) {
      const pasts: Past[] = [];
      for (const part of partsOf(counted, ASKED_AT_ONCE)) {
        const results = await write(part.flatMap((one) => questionsOf(one, minuteMs, span)));
        for (const index of part.keys()) pasts.push(pastOf(results.slice(3 * index, 3 * index + 3)));
      }
      return pasts;
    },

    async forgetOld() {
      await write([
        forgetPlaces(now() - PLACES_KEPT_MS),
        forgetTallies(bucketSeconds.minute, now() - NETWORKS_KEPT_MS, 'network'),
        forgetTallies(bucketSeconds.minute, now() - MINUTES_KEPT_MS, null),
        forgetTallies(bucketSeconds.hour, now() - HOURS_KEPT_MS, null),
      ]);
    },
  };
}

function minuteOfToken({ subject, start, passed, refused }: Row): BusyMinute {
  const counts = { passed: Number(passed), refused: Number(refused) };
  return { by: 'token', subject: String(subject), minuteMs: Number(start) * 1000, ...counts };
}

function minuteOfTally({ kind, subject, start, count }: Row): BusyMinute {
  const by = kind as TallyKind;
  const counts =
    by === 'network' ? { passed: 0, refused: Number(count) } : { passed: Number(count), refused: 0 };
  return { by, subject: String(subject), minuteMs: Number(start) * 1000, ...counts };
}

function questionsOf(
  counted: Counted,
  minuteMs: number,
  { usualMs, peakMs, unsettledMs }: PastSpan,
): readonly Change[] {
  const untilMs = minuteMs - unsettledMs;
  return [
    selectHours(counted, { fromMs: minuteMs - usualMs, untilMs }),
    selectPeak(counted, { fromMs: minuteMs - peakMs, untilMs }),
    selectSince(counted),
  ];
}

function pastOf([hours, peak, since]: readonly StatementResult[]): Past {
  const start = rowsOf(since)[0]?.start ?? null;
  return {
    since: start === null ? null : Number(start) * 1000,
    hours: rowsOf(hours).map(({ count }) => Number(count)),
    peak: Number(rowsOf(peak)[0]?.count ?? 0),
  };
}

function rowsOf(result: StatementResult | undefined): readonly Row[] {
  return (result?.rows ?? []) as readonly Row[];
}

function partsOf<T>(items: readonly T[], size = AT_ONCE): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, part) => items.slice(part * size, (part + 1) * size));
}

/** The first of each. */
function eachOnce(sightings: readonly Sighting[]): readonly Sighting[] {
  const places = new Map<string, Sighting>();
  for (const sighting of sightings) {
    const value = keptText(sighting.value);
    const key = `${sighting.tokenId}\n${sighting.kind}\n${value}`;
    if (!places.has(key)) places.set(key, { ...sighting, value });
  }
  return inOrder([...places.values()], ({ tokenId, kind, value }) => [tokenId, kind, value]);
}

/** Of one token and kind together. */
function groupsOf(rows: readonly PlaceRow[]): readonly Omit<Newcomer, 'since' | 'known'>[] {
  const groups = new Map<
    string,
    { tokenId: string; kind: PlaceKind; places: { value: string; at: number }[] }
  >();
  for (const { token_id: tokenId, kind, value, first_seen: at } of rows) {
    const key = `${tokenId}\n${kind}`;
    const group = groups.get(key) ?? { tokenId, kind: kind as PlaceKind, places: [] };
    group.places.push({ value, at });
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** One count for each kind, subject and bucket. */
function inBuckets(tallies: readonly Tally[], seconds: number): readonly Tally[] {
  const sums = new Map<string, Tally>();
  for (const { kind, subject: said, minuteMs: atMs, count } of tallies) {
    const subject = keptText(said);
    const minuteMs = Math.floor(atMs / (seconds * 1000)) * seconds * 1000;
    // Only what is held against the usual needs a past.
    if (kind === 'network' && seconds !== bucketSeconds.minute) continue;
    const key = `${kind}\n${minuteMs}\n${subject}`;
    sums.set(key, { kind, subject, minuteMs, count: (sums.get(key)?.count ?? 0) + count });
  }
  return inOrder([...sums.values()], ({ kind, subject, minuteMs }) => [kind, subject, String(minuteMs)]);
}

/** Processes that write the same rows do so in the same order, and never wait for each other in a ring. */
function inOrder<T>(items: readonly T[], key: (item: T) => readonly string[]): readonly T[] {
  return items
    .map((item) => ({ item, key: key(item).join('\n') }))
    .sort((one, other) => (one.key < other.key ? -1 : 1))
    .map(({ item }) => item);
}
