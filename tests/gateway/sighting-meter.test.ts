/** What is noted of requests for alerts: every place once, every count, and never more than fits. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Account } from '../../gateway/access-log.ts';
import { createSightingMeter } from '../../gateway/sighting-meter.ts';
import { placesMax } from '../../policy/alert-rules.ts';
import type { Sighting, Tally } from '../../store/sighting-store.ts';
import { fuzz } from '../support/fuzz.ts';

const MINUTE = 60_000;

const account = (more: Partial<Account> = {}): Account => ({
  ...{ requestId: 'r', method: 'GET', route: 'main GET /x', status: 200, code: null, reason: null },
  ...{ tokenId: 'tok_a', tokenType: 'svc', address: '10.0.0.1', durationMs: 1, aborted: false },
  ...more,
});
const refused = (address: string) => account({ tokenId: null, code: 'invalid_token', status: 401, address });

/** A meter on a clock of its own, and all that it has written. */
function meter(more: { tokensMax?: number; countedMax?: number } = {}) {
  const clock = { now: 10 * MINUTE };
  const seen: Sighting[] = [];
  const tallies: Tally[] = [];
  const store = { fails: false };
  const one = createSightingMeter({
    sightings: {
      add: async (sightings, counts) => {
        if (store.fails) throw new Error('away');
        seen.push(...sightings);
        tallies.push(...counts);
      },
    },
    now: () => clock.now,
    ...more,
  });
  return { ...one, clock, seen, tallies, store };
}

describe('what is noted', () => {
  test('is each place of a token once, and that nothing was sent where something could have been', async () => {
    const { note, flush, seen } = meter();
    for (let i = 0; i < 3; i++) note(account(), 'https://a.example', 'com.a');
    note(account({ address: '10.0.0.9' }), 'https://a.example', 'com.a');
    note(account({ address: '2001:db8::1' }), null, undefined);
    note(account(), null, null);
    await flush();
    const at = 10 * MINUTE;
    expect(seen).toEqual(
      [
        ['network', '10.0.0.0/24'],
        ['origin', 'https://a.example'],
        ['bundle', 'com.a'],
        ['network', '2001:db8:0::/48'],
        ['origin', ''],
        ['bundle', ''],
      ].map(([kind, value]) => ({ tokenId: 'tok_a', kind, value, at })),
    );
  });

  test('is nothing of a request that was refused: who may not pass makes no place a known one', async () => {
    const { note, flush, seen, tallies } = meter();
    note(account({ code: 'bundle_mismatch', status: 403 }), 'https://evil.example', 'com.evil');
    note(account({ tokenId: null }), 'https://public.example', undefined);
    await flush();
    expect([seen, tallies]).toEqual([[], []]);
  });

  test('is how often each bundle id passed, and how often nobody known was refused, by network and minute', async () => {
    const { note, flush, tallies, clock } = meter();
    for (let i = 0; i < 3; i++) note(account(), null, 'com.a');
    for (const host of [1, 2, 200]) note(refused(`203.0.113.${host}`), null, undefined);
    note(account({ tokenId: null, code: 'store_unavailable', status: 503 }), null, undefined);
    clock.now += MINUTE;
    note(refused('203.0.113.1'), null, undefined);
    await flush();
    const network = { kind: 'network', subject: '203.0.113.0/24' };
    expect(tallies).toEqual([
      { kind: 'bundle', subject: 'com.a', minuteMs: 10 * MINUTE, count: 3 },
      { ...network, minuteMs: 10 * MINUTE, count: 3 },
      { ...network, minuteMs: 11 * MINUTE, count: 1 },
    ]);
  });

  test('is noted again after an hour, so that places in use are not forgotten', async () => {
    const { note, flush, seen, clock } = meter();
    for (const laterMs of [0, 59 * MINUTE, 2 * MINUTE, 0]) {
      clock.now += laterMs;
      note(account(), null, undefined);
      await flush();
    }
    expect(seen.filter(({ kind }) => kind === 'network').map(({ at }) => at)).toEqual([
      10 * MINUTE,
      71 * MINUTE,
    ]);
  });

  test('goes with the next where it could not be written', async () => {
    const { note, flush, seen, tallies, store } = meter();
    store.fails = true;
    note(account(), null, 'com.a');
    await expect(flush()).rejects.toThrow('away');
    store.fails = false;
    note(account(), null, 'com.a');
    await flush();
    expect([seen.length, tallies.map(({ count }) => count)]).toEqual([3, [1, 1]]);
  });
});

describe('whatever callers send', () => {
  test('a million origins of one token are a handful of places', async () => {
    const { note, flush, seen } = meter();
    for (let i = 0; i < 1_000_000; i++) note(account(), `https://${i}.example`, undefined);
    await flush();
    expect(seen.filter(({ kind }) => kind === 'origin')).toHaveLength(placesMax + 1);
  });

  test('addresses and bundle ids beyond what fits are counted together', async () => {
    const { note, flush, tallies } = meter({ countedMax: 10 });
    for (let i = 0; i < 100; i++) {
      note(refused(`10.${i}.0.1`), null, undefined);
      note(account(), null, `com.${i}`);
    }
    await flush();
    for (const kind of ['bundle', 'network']) {
      const own = tallies.filter((one) => one.kind === kind);
      expect(own).toHaveLength(11);
      expect(own.find(({ subject }) => subject === '')?.count).toBe(90);
    }
  });

  test('long texts are kept short, and what has the same beginning is the same', async () => {
    const { note, flush, seen, tallies } = meter();
    const long = (end: string) => `https://${'x'.repeat(10_000)}${end}`;
    for (const end of ['a', 'b', 'a']) note(account(), long(end), long(end));
    note(account(), null, null);
    note(refused(long('a')), null, undefined);
    await flush();
    for (const { value } of seen) expect(value.length).toBeLessThanOrEqual(200);
    expect(seen.map(({ kind }) => kind)).toEqual(['network', 'origin', 'bundle', 'origin', 'bundle']);
    expect(tallies.map(({ subject, count }) => [subject.length, count])).toEqual([
      [200, 3],
      [200, 1],
    ]);
  });

  test('a store that is away for long costs old counts, never memory without end', async () => {
    const { note, flush, seen, tallies, clock, store } = meter();
    store.fails = true;
    for (let i = 0; i < 30_000; i++) note(account({ tokenId: `tok_${i}` }), null, 'com.a');
    for (let minute = 0; minute < 20; minute++) {
      note(refused('10.0.0.1'), null, undefined);
      await flush().catch(() => {});
      clock.now += MINUTE;
    }
    store.fails = false;
    await flush();
    expect(seen).toHaveLength(20_000);
    expect(tallies.map(({ minuteMs }) => minuteMs / MINUTE)).toEqual([27, 28, 29]);
  });

  test('no count is lost or made up, and no place is told that was not there', async () => {
    const request = fc.record({
      token: fc.option(fc.nat(20)),
      refused: fc.boolean(),
      address: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()),
      origin: fc.option(fc.string()),
      bundle: fc.option(fc.string({ minLength: 1 })),
      laterMs: fc.nat(30_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 100 }), async (requests) => {
        const { note, flush, seen, tallies, clock } = meter({ tokensMax: 5, countedMax: 5 });
        for (const { token, refused, address, origin, bundle, laterMs } of requests) {
          clock.now += laterMs;
          const tokenId = token === null ? null : `tok_${token}`;
          note(
            account({ tokenId, address, code: refused ? 'x' : null, status: refused ? 403 : 200 }),
            origin,
            bundle,
          );
          if (laterMs % 3 === 0) await flush();
        }
        await flush();
        const sum = (kind: string) =>
          tallies.filter((one) => one.kind === kind).reduce((all, { count }) => all + count, 0);
        const passed = requests.filter(({ token, refused }) => token !== null && !refused);
        expect(sum('bundle')).toBe(passed.filter(({ bundle }) => bundle !== null).length);
        expect(sum('network')).toBe(
          requests.filter(({ token, refused }) => token === null && refused).length,
        );
        const origins = new Set(passed.map(({ token, origin }) => `tok_${token} ${origin ?? ''}`));
        const told = seen.filter(({ kind }) => kind === 'origin');
        expect(new Set(told.map(({ tokenId, value }) => `${tokenId} ${value}`))).toEqual(origins);
      }),
      fuzz(100),
    );
  });
});
