/** What every UsageStore must do, whatever database is under it. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LastUse, UsageCount, UsageFilter, UsageStore } from '../../store/usage-store.ts';
import { NOW } from './token-types.ts';

export type OpenUsage = { readonly usage: UsageStore; readonly close: () => Promise<void> };

/** A database of the test's own, empty at first; opened as often as asked. */
export type UsageDatabase = {
  readonly open: (options: { now: () => number }) => Promise<OpenUsage>;
  readonly remove: () => Promise<void>;
};

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const start = Math.floor(NOW / HOUR) * HOUR;

const count = (more: Partial<UsageCount>): UsageCount => ({
  tokenId: 'tok_a',
  minuteMs: start,
  route: 'main GET /x',
  passed: 1,
  refused: 0,
  failed: 0,
  ...more,
});

const all: UsageFilter = { tokenId: null, sinceMs: start - DAY, bucket: 'hour', by: 'route', limit: 100 };

export function describeUsageStore(name: string, createDatabase: () => Promise<UsageDatabase>): void {
  async function fresh() {
    const database = await createDatabase();
    const opened: OpenUsage[] = [];
    onTestFinished(async () => {
      for (const one of opened) await one.close();
      await database.remove();
    });
    const clock = { now: NOW };
    const open = async () => {
      const one = await database.open({ now: () => clock.now });
      opened.push(one);
      return one.usage;
    };
    return { usage: await open(), open, clock };
  }

  describe(`a usage store on ${name}`, () => {
    test('adds up by row, by token and by time', async () => {
      const { usage } = await fresh();
      await usage.add([count({}), count({ route: 'main GET /y', refused: 2, passed: 0 })], []);
      await usage.add([count({ passed: 3 }), count({ tokenId: '', route: '', passed: 0, failed: 5 })], []);
      await usage.add([count({ minuteMs: start + HOUR, passed: 7 })], []);
      expect(await usage.sums(all)).toEqual([
        { key: 'main GET /x', passed: 11, refused: 0, failed: 0 },
        { key: '', passed: 0, refused: 0, failed: 5 },
        { key: 'main GET /y', passed: 0, refused: 2, failed: 0 },
      ]);
      expect(await usage.sums({ ...all, by: 'token' })).toEqual([
        { key: 'tok_a', passed: 11, refused: 2, failed: 0 },
        { key: '', passed: 0, refused: 0, failed: 5 },
      ]);
      expect(await usage.sums({ ...all, by: 'time', tokenId: 'tok_a' })).toEqual([
        { key: String(start), passed: 4, refused: 2, failed: 0 },
        { key: String(start + HOUR), passed: 7, refused: 0, failed: 0 },
      ]);
    });

    test('tells minutes apart, and counts each in its hour once', async () => {
      const { usage } = await fresh();
      const minutes = [0, 1, 59].map((n) => count({ minuteMs: start + n * MINUTE }));
      await usage.add(minutes, []);
      const byMinute = await usage.sums({ ...all, bucket: 'minute', by: 'time' });
      expect(byMinute.map(({ key, passed }) => [Number(key) - start, passed])).toEqual([
        [0, 1],
        [MINUTE, 1],
        [59 * MINUTE, 1],
      ]);
      expect(await usage.sums({ ...all, by: 'time' })).toEqual([
        { key: String(start), passed: 3, refused: 0, failed: 0 },
      ]);
    });

    test('limits: by time the newest, else the busiest; from the bucket in which the time lies', async () => {
      const { usage } = await fresh();
      const hours = [0, 1, 2, 3].map((n) =>
        count({ minuteMs: start - n * HOUR, passed: n + 1, route: `r${n}` }),
      );
      await usage.add(hours, []);
      expect((await usage.sums({ ...all, by: 'time', limit: 2 })).map(({ passed }) => passed)).toEqual([
        2, 1,
      ]);
      expect((await usage.sums({ ...all, limit: 2 })).map(({ key }) => key)).toEqual(['r3', 'r2']);
      const since = { ...all, by: 'time', sinceMs: start - HOUR + 1 } as const;
      expect((await usage.sums(since)).map(({ passed }) => passed)).toEqual([2, 1]);
    });

    test('remembers the last use, forward only', async () => {
      const { usage } = await fresh();
      const use = (at: number, address: string): LastUse => ({ tokenId: 'tok_a', at, address, route: 'r' });
      await usage.add([], [use(NOW, '10.0.0.1')]);
      await usage.add([], [use(NOW - 1, '10.0.0.2'), { ...use(NOW, '10.0.0.3'), tokenId: 'tok_b' }]);
      expect(await usage.lastUses(['tok_a'])).toEqual([use(NOW, '10.0.0.1')]);
      await usage.add([], [use(NOW + 1, '::1')]);
      expect(await usage.lastUses(['tok_a', 'tok_none'])).toEqual([use(NOW + 1, '::1')]);
      expect(await usage.lastUses([])).toEqual([]);
    });

    test('many at once, from several processes, are all counted', async () => {
      const { usage, open } = await fresh();
      const others = [await open(), await open()];
      const counts = Array.from({ length: 1200 }, (_, n) =>
        count({ tokenId: `tok_${n % 600}`, route: `r${n}` }),
      );
      const uses = counts.map(({ tokenId, route }) => ({ tokenId, at: NOW, address: '10.0.0.1', route }));
      const unique = [...new Map(uses.map((one) => [one.tokenId, one])).values()];
      await Promise.all([usage, ...others].map((one) => one.add([...counts].reverse(), unique)));
      const sums = await usage.sums({ ...all, by: 'time' });
      expect(sums.map(({ passed }) => passed)).toEqual([3600]);
    });

    test('forgets minutes after two days and hours after 400', async () => {
      const { usage, clock } = await fresh();
      await usage.add([count({}), count({ minuteMs: start - 399 * DAY })], []);
      clock.now = NOW + 3 * DAY;
      await usage.forgetOld();
      const since = { ...all, sinceMs: 0, by: 'time' } as const;
      expect(await usage.sums({ ...since, bucket: 'minute' })).toEqual([]);
      expect((await usage.sums(since)).map(({ key }) => Number(key))).toEqual([start]);
    });
  });
}
