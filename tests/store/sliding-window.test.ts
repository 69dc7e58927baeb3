/** The arithmetic against an oracle that remembers everything, and the script against the arithmetic. */
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { slidingWindowScript } from '../../store/limiter-script.ts';
import { type Bucket, createBucket, type Rate, spendAll } from '../../store/sliding-window.ts';
import { openClient, openRedis } from '../fixtures/redis.ts';

const rates = fc.record({
  quota: fc.integer({ min: 1, max: 12 }),
  windowUs: fc.constantFrom(1_000, 7_000, 60_000),
  steps: fc.integer({ min: 1, max: 20 }),
});
/** A gap as a share of the window: none, tiny, about a step, and just around the whole window. */
const gaps = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: 0.2, noNaN: true }),
  fc.constantFrom(0.05, 0.5, 0.999, 1, 1.001, 2),
);
const histories = fc.array(fc.tuple(gaps, fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 120 });

type Admission = { atUs: number; cost: number };

/** What an unforgetting counter sees in the trailing `lengthUs` before `nowUs`, this moment included. */
function spentWithin(log: readonly Admission[], nowUs: number, lengthUs: number): number {
  return log.reduce((sum, { atUs, cost }) => (nowUs - atUs < lengthUs ? sum + cost : sum), 0);
}

function ask(bucket: Bucket, rate: Rate, cost: number, nowUs: number) {
  const { admitted, standings } = spendAll([{ bucket, rate, cost }], nowUs);
  return { admitted, retryAfterMs: standings[0]?.retryAfterMs ?? Number.NaN, standing: standings[0] };
}

describe('the sliding window', () => {
  test('never admits more than the quota in any trailing window, nor refuses more than a step early', () => {
    const seen = { admitted: 0, refused: 0 };
    fc.assert(
      fc.property(rates, histories, (rate, history) => {
        const bucket = createBucket();
        const log: Admission[] = [];
        let nowUs = 1_000_000;
        for (const [gap, cost] of history) {
          nowUs += Math.floor(gap * rate.windowUs);
          const { admitted } = ask(bucket, rate, cost, nowUs);
          seen[admitted ? 'admitted' : 'refused'] += 1;
          if (admitted) log.push({ atUs: nowUs, cost });
          if (admitted) expect(spentWithin(log, nowUs, rate.windowUs)).toBeLessThanOrEqual(rate.quota);
          const early = rate.windowUs + rate.windowUs / rate.steps;
          if (!admitted) expect(spentWithin(log, nowUs, early) + cost).toBeGreaterThan(rate.quota);
          expect(bucket.runs.length).toBeLessThanOrEqual(rate.steps + 2);
        }
      }),
      { numRuns: 400 },
    );
    expect(Math.min(seen.admitted, seen.refused)).toBeGreaterThan(200);
  });

  test('with steps of 1 ms remembers no more runs than uses, and refuses at most 1 ms early', () => {
    const exact = fc.record({
      quota: fc.integer({ min: 1, max: 12 }),
      windowUs: fc.constantFrom(1_000_000, 60_000_000, 86_400_000_000),
    });
    const seen = { admitted: 0, refused: 0 };
    fc.assert(
      fc.property(exact, histories, ({ quota, windowUs }, history) => {
        const rate = { quota, windowUs, steps: windowUs / 1000 };
        const bucket = createBucket();
        const log: Admission[] = [];
        let nowUs = 1_000_000;
        for (const [gap, cost] of history) {
          nowUs += Math.floor(gap * windowUs);
          const { admitted } = ask(bucket, rate, cost, nowUs);
          seen[admitted ? 'admitted' : 'refused'] += 1;
          if (admitted) log.push({ atUs: nowUs, cost });
          expect(spentWithin(log, nowUs, windowUs)).toBeLessThanOrEqual(quota);
          if (!admitted) expect(spentWithin(log, nowUs, windowUs + 1000) + cost).toBeGreaterThan(quota);
          expect(bucket.runs.length).toBeLessThanOrEqual(quota);
        }
      }),
      { numRuns: 200 },
    );
    expect(Math.min(seen.admitted, seen.refused)).toBeGreaterThan(200);
  });

  test('tells a wait after which the same cost fits, and not a step before it could', () => {
    let waits = 0;
    fc.assert(
      fc.property(rates, histories, (rate, history) => {
        const bucket = createBucket();
        let nowUs = 5_000;
        for (const [gap, cost] of history) {
          nowUs += Math.floor(gap * rate.windowUs);
          const { admitted, retryAfterMs } = ask(bucket, rate, cost, nowUs);
          expect(admitted).toBe(retryAfterMs === 0);
          expect(retryAfterMs === -1).toBe(cost > rate.quota);
          if (retryAfterMs <= 0) continue;
          waits += 1;
          const late = ask(structuredClone(bucket), rate, cost, nowUs + retryAfterMs * 1000);
          expect(late.admitted).toBe(true);
          const soon = ask(structuredClone(bucket), rate, cost, nowUs + (retryAfterMs - 1) * 1000);
          expect(soon.admitted).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
    expect(waits).toBeGreaterThan(100);
  });

  test('a clock that steps back, however far, adds nothing in any trailing window of elapsed time', () => {
    const steps = fc.array(
      fc.tuple(gaps, fc.constantFrom(0, 0, 0, 0, 0.3, 0.99, 1, 1.5, 40), fc.integer({ min: 1, max: 4 })),
      { minLength: 1, maxLength: 120 },
    );
    fc.assert(
      fc.property(rates, steps, (rate, history) => {
        const bucket = createBucket();
        const log: Admission[] = [];
        let elapsedUs = 0;
        let behindUs = 0;
        for (const [gap, back, cost] of history) {
          elapsedUs += Math.floor(gap * rate.windowUs);
          behindUs += Math.floor(back * rate.windowUs);
          const { admitted, retryAfterMs } = ask(bucket, rate, cost, 1e9 + elapsedUs - behindUs);
          if (admitted) log.push({ atUs: elapsedUs, cost });
          expect(spentWithin(log, elapsedUs, rate.windowUs)).toBeLessThanOrEqual(rate.quota);
          expect(retryAfterMs).toBeLessThanOrEqual((2 * rate.windowUs) / 1000);
          expect(bucket.runs.length).toBeLessThanOrEqual(rate.steps + 2);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('a burst at the edge of a window does not buy a second one after it', () => {
    const rate = { quota: 100, windowUs: 1_000_000, steps: 10 };
    const bucket = createBucket();
    expect(ask(bucket, rate, 100, 999_000).admitted).toBe(true);
    for (const nowUs of [1_000_000, 1_500_000, 1_998_999])
      expect(ask(bucket, rate, 1, nowUs).admitted).toBe(false);
    expect(ask(bucket, rate, 100, 1_999_000).admitted).toBe(true);
  });
});

describe('the Redis script', () => {
  let redis: Redis;
  let server: Awaited<ReturnType<typeof openRedis>>;
  /** The shipped text, with the clock taken from the test. */
  const scripted = slidingWindowScript.replace("redis.call('TIME')", 'cjson.decode(ARGV[2])');

  beforeAll(async () => {
    server = await openRedis();
    redis = openClient(server.url);
  });
  afterAll(async () => {
    await redis.quit();
    await server.stop();
  });

  test('takes its clock from Redis and nowhere else', () => {
    expect(scripted).not.toBe(slidingWindowScript);
    expect(slidingWindowScript.match(/TIME'/g)).toHaveLength(1);
    expect(slidingWindowScript).not.toContain('ARGV[2]');
  });

  // Windows far longer than the test, or real expiry would come between the script and its twin.
  const windowsUs = [60_000_000, 60_000_000, 61_000_000, 3_600_000_000];
  const charges = fc.record({
    bucket: fc.integer({ min: 0, max: 3 }),
    quota: fc.integer({ min: 1, max: 9 }),
    steps: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(60_000, 3_600_000, 86_400_000)),
    cost: fc.integer({ min: 1, max: 4 }),
    otherWindow: fc.integer({ min: 0, max: 3 }),
  });
  const anyGap = fc.oneof(
    { weight: 6, arbitrary: gaps },
    { weight: 1, arbitrary: fc.constantFrom(-0.5, -1, -1.2, -70) },
  );
  const call = fc.record({
    gap: anyGap,
    groups: fc.array(fc.array(charges, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 }),
  });
  const calls = fc.array(call, { minLength: 1, maxLength: 40 });
  type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

  let run = 0;
  /** Gives the same history to the script and to its twin. */
  async function answers(history: readonly Call[], windowOf: (charge: Call['groups'][0][0]) => number) {
    run += 1;
    const twins = windowsUs.map(createBucket);
    const keys = twins.map((_, index) => `postern:test:${process.pid}-${run}-${index}`);
    const expected: number[][] = [];
    const sent: Promise<unknown>[] = [];
    let nowUs = 1_700_000_000_000_000;
    for (const { gap, groups } of history) {
      nowUs += Math.floor(gap * 60_000_000);
      const input: number[] = [];
      const row = [nowUs];
      for (const group of groups) {
        input.push(group.length);
        const asks = group.map((charge) => {
          const { bucket, quota, steps, cost } = charge;
          const rate = { quota, windowUs: windowOf(charge), steps };
          input.push(bucket + 1, quota, rate.windowUs, steps, cost);
          return { bucket: twins[bucket] ?? createBucket(), rate, cost };
        });
        const { standings } = spendAll(asks, nowUs);
        row.push(...standings.flatMap((at) => [at.remaining, at.resetMs, at.retryAfterMs]));
      }
      expected.push(row);
      const clock = JSON.stringify([Math.floor(nowUs / 1e6), nowUs % 1e6]);
      sent.push(redis.eval(scripted, keys.length, ...keys, JSON.stringify(input), clock));
    }
    const actual = (await Promise.all(sent)) as number[][];
    await redis.del(...keys);
    return { expected, actual };
  }

  test('answers exactly as its twin, over random histories, batches, quotas, cuts and clocks', async () => {
    await fc.assert(
      fc.asyncProperty(calls, async (history) => {
        const { expected, actual } = await answers(history, ({ bucket }) => windowsUs[bucket] ?? 0);
        expect(actual).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  }, 20_000);

  test('answers sensibly while two configs with different windows share a bucket', async () => {
    await fc.assert(
      fc.asyncProperty(calls, async (history) => {
        const { expected, actual } = await answers(history, (charge) => windowsUs[charge.otherWindow] ?? 0);
        for (const numbers of [...expected, ...actual]) {
          for (const [index, value] of numbers.slice(1).entries()) {
            expect(value).toBeGreaterThanOrEqual(index % 3 === 2 ? -1 : 0);
            expect(value).toBeLessThanOrEqual(index % 3 === 0 ? 9 : 2 * 3_600_000);
          }
        }
      }),
      { numRuns: 50 },
    );
  }, 20_000);

  test('treats a value that is not a bucket as an empty one', async () => {
    const key = `postern:test:garbage-${process.pid}`;
    await redis.set(key, 'not a bucket');
    const clock = JSON.stringify([1_700_000_000, 0]);
    const answer = await redis.eval(scripted, 1, key, '[1,1,5,60000000,10,1]', clock);
    await redis.del(key);
    expect(answer).toEqual([1_700_000_000_000_000, 4, 60_000, 0]);
  });

  test('keeps a bucket within a fixed size, however often it is asked', async () => {
    const key = `postern:test:size-${process.pid}`;
    for (let call = 0; call < 2000; call += 1) {
      const clock = JSON.stringify([1_700_000_000 + Math.floor(call / 10), (call % 10) * 1e5]);
      void redis.eval(scripted, 1, key, '[1,1,100000,60000000,60,1]', clock);
    }
    const bytes = await redis.strlen(key);
    await redis.del(key);
    expect(bytes).toBeGreaterThan(60 * 12 - 1);
    expect(bytes).toBeLessThanOrEqual(12 * (60 + 3));
  });
});
