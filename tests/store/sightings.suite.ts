/** What every SightingStore must do, whatever database is under it. */
import { describe, expect, test } from 'vitest';
import { pastSpan } from '../../policy/alert-rules.ts';
import type { Counted, Sighting, Tally } from '../../store/sighting-store.ts';
import type { UsageCount } from '../../store/usage-store.ts';
import { type AlertsDatabase, freshAlerts } from './alerts.suite.ts';
import { NOW } from './token-types.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const start = Math.floor(NOW / HOUR) * HOUR;

const seen = (value: string, more: Partial<Sighting> = {}): Sighting => ({
  tokenId: 'tok_a',
  kind: 'origin',
  value,
  at: NOW,
  ...more,
});
const tally = (more: Partial<Tally> = {}): Tally => ({
  kind: 'bundle',
  subject: 'com.a',
  minuteMs: start,
  count: 1,
  ...more,
});
const count = (more: Partial<UsageCount> = {}): UsageCount => ({
  ...{ tokenId: 'tok_a', minuteMs: start, route: 'r', passed: 1, refused: 0, failed: 0 },
  ...more,
});

export function describeSightingStore(name: string, createDatabase: () => Promise<AlertsDatabase>): void {
  const fresh = () => freshAlerts(createDatabase);

  describe(`a sighting store on ${name}`, () => {
    test('tells each place of a token once, with since when and how many are known', async () => {
      const { sightings, clock } = await fresh();
      await sightings.add([seen('a'), seen('b'), seen('10.0.0.0/24', { kind: 'network' })], [], 50);
      const found = await sightings.newcomers(10);
      expect(found.map(({ kind, places, since, known }) => [kind, places.length, since, known])).toEqual([
        ['network', 1, NOW, 1],
        ['origin', 2, NOW, 2],
      ]);
      await sightings.judged(found);
      clock.now += DAY;
      const later = { at: clock.now };
      await sightings.add([seen('a', later), seen('', later)], [], 50);
      expect(await sightings.newcomers(10)).toEqual([
        { tokenId: 'tok_a', kind: 'origin', places: [{ value: '', at: NOW + DAY }], since: NOW, known: 3 },
      ]);
    });

    test('gives back what was postponed, when its time has come, and with what came since', async () => {
      const { sightings, clock } = await fresh();
      await sightings.add([seen('a')], [], 50);
      const [one] = await sightings.newcomers(10);
      if (one === undefined) return expect.unreachable('nobody is new');
      await sightings.postpone([one], NOW + HOUR);
      expect(await sightings.newcomers(10)).toEqual([]);
      clock.now += HOUR;
      await sightings.add([seen('b', { at: clock.now })], [], 50);
      const [both] = await sightings.newcomers(10);
      expect(both?.places.map(({ value }) => value)).toEqual(['a', 'b']);
    });

    test('adds no place of a kind to those that have as many as it is told, however many come', async () => {
      const { sightings } = await fresh();
      for (let round = 0; round < 5; round++) {
        const many = Array.from({ length: 40 }, (_, n) => seen(`https://${round}-${n}.example`));
        await sightings.add(many, [], 51);
      }
      await sightings.add([seen('10.0.0.0/24', { kind: 'network' })], [], 51);
      const found = await sightings.newcomers(1000);
      expect(found.map(({ kind, known }) => [kind, known])).toEqual([
        ['network', 1],
        // Of the second forty, none knew of the others.
        ['origin', 80],
      ]);
    });

    test('keeps what callers chose as text, bounded', async () => {
      const { sightings } = await fresh();
      const odd = `'\0\ud83d${'é'.repeat(5000)}`;
      await sightings.add(
        [seen(odd), seen(`${odd}x`)],
        [tally({ subject: odd }), tally({ subject: `${odd}x` })],
        50,
      );
      const [one] = await sightings.newcomers(10);
      expect(one?.places).toHaveLength(1);
      expect(one?.places[0]?.value).toMatch(/^'\ufffdé+$/);
      if (one !== undefined) await sightings.judged([one]);
      expect(await sightings.newcomers(10)).toEqual([]);
    });

    test('finds the busy minutes of tokens, bundle ids and networks, added up over processes', async () => {
      const { sightings, usage, open } = await fresh();
      const other = await open();
      for (const one of [{ sightings, usage }, other]) {
        await one.usage.add(
          [
            count({ passed: 30, failed: 20 }),
            count({ route: 's', refused: 9 }),
            count({ tokenId: 'tok_calm' }),
          ],
          [],
        );
        await one.usage.add(
          [count({ tokenId: '', refused: 900 }), count({ minuteMs: start - MINUTE, passed: 900 })],
          [],
        );
        await one.sightings.add(
          [],
          [
            tally({ count: 60 }),
            tally({ subject: 'com.calm' }),
            tally({ kind: 'network', subject: '10.0.0.0/24', count: 7 }),
          ],
          50,
        );
      }
      const from = { passed: 100, refusedOfToken: 1000, refusedOfNetwork: 14 };
      expect(await sightings.busy(start, from)).toEqual([
        { by: 'token', subject: 'tok_a', minuteMs: start, passed: 102, refused: 18 },
        { by: 'bundle', subject: 'com.a', minuteMs: start, passed: 120, refused: 0 },
        { by: 'network', subject: '10.0.0.0/24', minuteMs: start, passed: 0, refused: 14 },
      ]);
      const never = Number.POSITIVE_INFINITY;
      const none = { passed: never, refusedOfToken: never, refusedOfNetwork: never };
      expect(await sightings.busy(start, none)).toEqual([]);
      expect(await sightings.busy(start, { ...none, refusedOfToken: 18 })).toHaveLength(1);
    });

    test('knows the past of each: first hour, used hours, busiest minute, the last ten minutes left out', async () => {
      const { sightings, usage } = await fresh();
      const at = (ms: number, passed: number) => ({ minuteMs: start + ms, passed });
      const minutes = [
        at(-8 * DAY, 5),
        at(-26 * HOUR, 70),
        at(-2 * HOUR, 40),
        at(-2 * HOUR + MINUTE, 2),
        at(0, 3),
      ];
      await usage.add([...minutes, at(20 * MINUTE, 999)].map(count), []);
      await sightings.add(
        [],
        [...minutes, at(20 * MINUTE, 999)].map(({ minuteMs, passed }) => tally({ minuteMs, count: passed })),
        50,
      );
      const asked: Counted[] = [
        { by: 'token', subject: 'tok_a' },
        { by: 'bundle', subject: 'com.a' },
        { by: 'token', subject: 'tok_none' },
      ];
      const known = { since: start - 8 * DAY, peak: 40, hours: expect.arrayContaining([70, 42]) };
      const pasts = await sightings.pasts(asked, start + 29 * MINUTE, pastSpan);
      expect(pasts).toEqual([known, known, { since: null, peak: 0, hours: [] }]);
      expect(pasts[0]?.hours).toHaveLength(2);
      const [later] = await sightings.pasts(asked.slice(0, 1), start + 31 * MINUTE, pastSpan);
      expect(later?.peak).toBe(999);
    });

    test('forgets counts past their time, and places where nobody was for 90 days', async () => {
      const { sightings, clock } = await fresh();
      await sightings.add(
        [seen('a'), seen('b')],
        [tally({ count: 7 }), tally({ kind: 'network', count: 7 })],
        50,
      );
      clock.now += 2 * HOUR;
      await sightings.forgetOld();
      const from = { passed: 1, refusedOfToken: 1, refusedOfNetwork: 1 };
      expect((await sightings.busy(start, from)).map(({ by }) => by)).toEqual(['bundle']);
      clock.now += 89 * DAY;
      await sightings.add([seen('a', { at: clock.now })], [], 50);
      await sightings.forgetOld();
      expect(await sightings.busy(start, from)).toEqual([]);
      expect(
        (await sightings.pasts([{ by: 'bundle', subject: 'com.a' }], clock.now, pastSpan))[0]?.since,
      ).toBeNull();
      clock.now += 2 * DAY;
      await sightings.forgetOld();
      expect((await sightings.newcomers(10))[0]?.places).toMatchObject([{ value: 'a' }]);
    });
  });
}
