import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../gateway/access-log.ts';
import { createUsageMeter } from '../../gateway/usage-meter.ts';
import type { LastUse, UsageCount } from '../../store/usage-store.ts';
import { fuzz } from '../support/fuzz.ts';

const MINUTE = 60_000;

const account = (more: Partial<Account> = {}): Account => ({
  requestId: 'r',
  method: 'GET',
  route: 'main GET /x',
  status: 200,
  code: null,
  reason: null,
  tokenId: 'tok_a',
  tokenType: 'svc',
  address: '10.0.0.1',
  durationMs: 1,
  aborted: false,
  ...more,
});

/** A meter on a clock of its own, and all that it has written. */
function meter(entriesMax?: number) {
  const clock = { now: 10 * MINUTE };
  const counts: UsageCount[] = [];
  const uses: LastUse[] = [];
  const faults: unknown[] = [];
  const store = { fails: false };
  const one = createUsageMeter({
    usage: {
      add: async (added, used) => {
        if (store.fails) throw new Error('away');
        counts.push(...added);
        uses.push(...used);
      },
      forgetOld: async () => {},
    },
    now: () => clock.now,
    onFailure: (error) => faults.push(error),
    ...(entriesMax === undefined ? {} : { entriesMax }),
  });
  onTestFinished(() => one.close());
  return { ...one, clock, counts, uses, faults, store };
}

test('counts by token and row: passed, refused, failed', async () => {
  const { note, flush, counts, uses } = meter();
  for (const status of [200, 404]) note(account({ status }));
  note(account({ status: 403, code: 'insufficient_scope' }));
  note(account({ status: 502, code: 'upstream_unreachable' }));
  note(account({ status: 500 }));
  note(account({ tokenId: null, route: null, status: 401, code: 'credential_missing' }));
  await flush();
  const minuteMs = 10 * MINUTE;
  expect(counts).toEqual([
    { tokenId: 'tok_a', minuteMs, route: 'main GET /x', passed: 2, refused: 1, failed: 2 },
    { tokenId: '', minuteMs, route: '', passed: 0, refused: 1, failed: 0 },
  ]);
  expect(uses).toEqual([{ tokenId: 'tok_a', at: minuteMs, address: '10.0.0.1', route: 'main GET /x' }]);
});

test('each minute is counted by itself; the last use is the latest that passed', async () => {
  const { note, flush, counts, uses, clock } = meter();
  note(account());
  clock.now += MINUTE;
  note(account({ route: 'main GET /y', address: '10.0.0.2' }));
  clock.now += 1;
  note(account({ address: '10.0.0.9', code: 'rate_limited', status: 429 }));
  await flush();
  expect(counts.map(({ minuteMs, route }) => [minuteMs / MINUTE, route])).toEqual([
    [10, 'main GET /x'],
    [11, 'main GET /y'],
    [11, 'main GET /x'],
  ]);
  expect(uses).toEqual([{ tokenId: 'tok_a', at: 11 * MINUTE, address: '10.0.0.2', route: 'main GET /y' }]);
});

test('what could not be written goes with the next', async () => {
  const { note, flush, counts, faults, store } = meter();
  store.fails = true;
  note(account());
  await flush();
  expect([faults.length, counts.length]).toEqual([1, 0]);
  store.fails = false;
  note(account());
  await flush();
  expect(counts.reduce((sum, { passed }) => sum + passed, 0)).toBe(2);
  await flush();
  expect(counts).toHaveLength(2);
});

test('a store that is away for long costs old minutes, never memory without end', async () => {
  const { note, flush, counts, clock, store } = meter();
  store.fails = true;
  for (let minute = 0; minute < 20; minute++) {
    note(account());
    await flush();
    clock.now += MINUTE;
  }
  store.fails = false;
  await flush();
  expect(counts.map(({ minuteMs }) => minuteMs / MINUTE)).toEqual([27, 28, 29]);
});

test('whatever comes, nothing is counted twice or lost, and no more is told apart than may be', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(30), fc.nat(5), fc.constantFrom(200, 403, 502), fc.nat(20_000)), {
        maxLength: 200,
      }),
      async (requests) => {
        const { note, flush, counts, clock, close } = meter(10);
        for (const [token, route, status, laterMs] of requests) {
          clock.now += laterMs;
          note(
            account({
              tokenId: `tok_${token}`,
              route: `r${route}`,
              status,
              code: status === 200 ? null : 'x',
            }),
          );
        }
        await flush();
        await close();
        const total = counts.reduce((sum, { passed, refused, failed }) => sum + passed + refused + failed, 0);
        expect(total).toBe(requests.length);
        const perMinute = new Map<number, number>();
        for (const { minuteMs } of counts) perMinute.set(minuteMs, (perMinute.get(minuteMs) ?? 0) + 1);
        expect(Math.max(0, ...perMinute.values())).toBeLessThanOrEqual(11);
      },
    ),
    fuzz(100),
  );
});
