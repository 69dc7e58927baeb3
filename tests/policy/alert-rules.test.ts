/** When something is told and when not, over whole histories of use: steady, slowly growing, silent, and all at once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextTryMs } from '../../policy/alert-delivery.ts';
import { type Past, pastSpan, placesMax, spikeFrom, unseenOf, usualOf } from '../../policy/alert-rules.ts';
import { fuzz } from '../support/fuzz.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const rule = { times: 10, perMinute: 100 };

/** What a store would say before a minute, of so many requests in each minute from time 0 on. */
function pastOf(series: readonly number[], minute: number): Past {
  const until = minute - pastSpan.unsettledMs / MINUTE;
  const sum = (from: number, to: number) => series.slice(from, to).reduce((all, one) => all + one, 0);
  const hours: number[] = [];
  const first = Math.max(0, Math.floor((minute - pastSpan.usualMs / MINUTE) / 60));
  for (let hour = first; (hour + 1) * 60 <= until; hour++) hours.push(sum(hour * 60, hour * 60 + 60));
  const used = series.findIndex((count) => count > 0);
  const isUsed = used !== -1 && used <= minute;
  const recent = series.slice(Math.max(0, minute - pastSpan.peakMs / MINUTE), Math.max(0, until));
  return {
    since: isUsed ? Math.floor(used / 60) * HOUR : null,
    hours: hours.filter((count) => count > 0),
    peak: recent.reduce((most, count) => Math.max(most, count), 0),
  };
}

/** The minutes that are told. */
function spikesIn(series: readonly number[], from = 0, learnMs = DAY): readonly number[] {
  const found: number[] = [];
  for (let minute = from; minute < series.length; minute++) {
    const threshold = spikeFrom(rule, pastOf(series, minute), learnMs, minute * MINUTE);
    if ((series[minute] ?? 0) >= threshold) found.push(minute);
  }
  return found;
}

const minutes = (hours: number, count: (minute: number) => number) =>
  Array.from({ length: hours * 60 }, (_, minute) => Math.round(count(minute)));

describe('a spike', () => {
  test('is none where the rate is steady, give or take a third', () => {
    const steady = fc.tuple(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.infiniteStream(fc.integer({ min: -33, max: 33 })),
    );
    fc.assert(
      fc.property(steady, ([rate, noise]) => {
        const series = minutes(26, () => rate * (1 + (noise.next().value ?? 0) / 100));
        expect(spikesIn(series, 23 * 60)).toEqual([]);
      }),
      fuzz(20),
    );
  });

  test('is told within two minutes of a tenfold step, wherever in its minute or hour it comes', () => {
    const step = fc.record({
      rate: fc.integer({ min: 10, max: 100_000 }),
      atSecond: fc.integer({ min: 25 * 3600, max: 26 * 3600 - 1 }),
      startedAt: fc.integer({ min: 0, max: 59 }),
    });
    fc.assert(
      fc.property(step, ({ rate, atSecond, startedAt }) => {
        const minute = Math.floor(atSecond / 60);
        const share = 1 - (atSecond % 60) / 60;
        const series = minutes(27, (m) => {
          if (m < startedAt) return 0;
          return m < minute ? rate : m === minute ? rate * (1 + 9 * share) : rate * 10;
        });
        const [first = Number.POSITIVE_INFINITY] = spikesIn(series.slice(0, minute + 2), minute - 30);
        expect([minute, minute + 1]).toContain(first);
      }),
      fuzz(60),
    );
  });

  test('is none where use doubles every few hours, to whatever height', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 60, max: 600 }),
        fc.integer({ min: 1, max: 1000 }),
        (doublesIn, first) => {
          const series = minutes(30, (minute) => first * 2 ** (minute / doublesIn));
          expect(spikesIn(series, 24 * 60)).toEqual([]);
        },
      ),
      fuzz(20),
    );
  });

  test('is none where the same comes every hour or every day', () => {
    const hourly = minutes(28, (minute) => (minute % 60 === 7 ? 5000 : 20));
    const daily = minutes(50, (minute) => (minute % 1440 === 180 ? 5000 : 20));
    const mornings = minutes(60, (minute) => (Math.floor(minute / 60) % 24 < 10 ? 400 : 3));
    expect([spikesIn(hourly, 24 * 60), spikesIn(daily, 26 * 60), spikesIn(mornings, 24 * 60)]).toEqual([
      [],
      [],
      [],
    ]);
  });

  test('is none below the number of the rule, after silence too', () => {
    const silence = minutes(30, (minute) => (minute < 60 || minute === 29 * 60 ? 99 : 0));
    const loud = minutes(30, (minute) => (minute === 0 ? 1 : minute === 29 * 60 ? 100 : 0));
    expect(spikesIn(silence, 1500)).toEqual([]);
    expect(spikesIn(loud, 1500)).toEqual([29 * 60]);
  });

  test('is told of a token that was silent for the whole week, and the usual is then 0, not a division by it', () => {
    const past: Past = { since: 0, hours: [], peak: 0 };
    expect(usualOf(past)).toBe(0);
    expect(spikeFrom(rule, past, DAY, 30 * DAY)).toBe(100);
  });

  test('is none while what a token does is learned, and none of a token that was never used', () => {
    const fresh = minutes(24, (minute) => (minute % 100 === 0 ? 100_000 : 1));
    expect(spikesIn(fresh)).toEqual([]);
    expect(spikeFrom(rule, { since: null, hours: [], peak: 0 }, 0, DAY)).toBe(Number.POSITIVE_INFINITY);
  });

  test('needs no less where more is usual: the threshold grows with every hour and with the peak', () => {
    const past = fc.record({
      hours: fc.array(fc.integer({ min: 1, max: 1_000_000 }), { maxLength: 168 }),
      peak: fc.nat(1_000_000),
    });
    fc.assert(
      fc.property(past, fc.nat(1000), ({ hours, peak }, more) => {
        const of = (one: Omit<Past, 'since'>) => spikeFrom(rule, { since: 0, ...one }, DAY, 2 * DAY);
        const before = of({ hours, peak });
        expect(before).toBeGreaterThanOrEqual(rule.perMinute);
        expect(Number.isFinite(before)).toBe(true);
        expect(of({ hours: hours.map((count) => count + more), peak: peak + more })).toBeGreaterThanOrEqual(
          before,
        );
      }),
      fuzz(200),
    );
  });
});

describe('a place never seen before', () => {
  const newcomers = (places: readonly { value: string; at: number }[], known = places.length, since = 0) =>
    unseenOf({ kind: 'origin', places, since, known }, DAY);

  test('is told once its token was seen for long enough', () => {
    const place = (at: number) => [{ value: 'https://a.example', at }];
    expect([newcomers(place(DAY - 1)), newcomers(place(DAY))]).toEqual([[], ['https://a.example']]);
  });

  test('is never told of a token in its first time, however many places it has', () => {
    const times = fc.array(fc.record({ value: fc.string(), at: fc.nat(2 * DAY) }), { minLength: 1 });
    fc.assert(
      fc.property(times, (places) => {
        const since = Math.min(...places.map(({ at }) => at));
        const told = newcomers(places, places.length, since);
        const late = places.filter(({ at }) => at >= since + DAY).map(({ value }) => value);
        expect(told).toEqual(places.length > placesMax ? [] : late);
      }),
      fuzz(200),
    );
  });

  test('says nothing of a token that is used anywhere', () => {
    const place = [{ value: 'x', at: 2 * DAY }];
    expect([newcomers(place, placesMax), newcomers(place, placesMax + 1)]).toEqual([['x'], []]);
  });
});

describe('an alert that was not taken', () => {
  test('is sent again after 1, 2, 4 … seconds, every hour at last, for a day', () => {
    const waits: number[] = [];
    let ageMs = 0;
    for (let attempts = 1; ; attempts++) {
      const waitMs = nextTryMs(attempts, ageMs);
      if (waitMs === null) break;
      waits.push(waitMs);
      ageMs += waitMs;
    }
    expect(waits.slice(0, 4)).toEqual([1000, 2000, 4000, 8000]);
    expect(Math.max(...waits)).toBe(HOUR);
    expect(ageMs).toBeLessThanOrEqual(DAY);
    expect(ageMs).toBeGreaterThan(DAY - HOUR);
    expect(waits).toHaveLength(34);
  });

  test('is never sent again at once, nor after a day', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.nat(3 * DAY), (attempts, ageMs) => {
        const waitMs = nextTryMs(attempts, ageMs);
        if (waitMs === null) expect(ageMs).toBeGreaterThan(DAY - HOUR - 1);
        else expect(waitMs >= 1000 && waitMs <= HOUR && ageMs + waitMs <= DAY).toBe(true);
      }),
      fuzz(300),
    );
  });
});
