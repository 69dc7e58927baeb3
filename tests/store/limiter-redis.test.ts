import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openClient, openRedis } from '../fixtures/redis.ts';
import { charge, freshKey, limiterSuite, limitOf, passed } from './limiter.suite.ts';
import { type Observed, observe } from './limiter-observed.ts';

let shared: Awaited<ReturnType<typeof openRedis>>;
beforeAll(async () => {
  shared = await openRedis();
});
afterAll(() => shared.stop());

limiterSuite('in Redis', async () => {
  // Four processes' worth of limiters share the counter in the parallel test.
  const gateways = Array.from({ length: 4 }, () => observe(shared.url));
  const [first] = gateways;
  if (first === undefined) throw new Error('no limiter');
  await Promise.all(gateways.map((gateway) => gateway.becomes(true)));
  let turn = 0;
  return {
    limiter: first.limiter,
    advance: (ms) => sleep(ms),
    stamped: async (charges) => {
      turn += 1;
      const { limiter, clocks } = gateways[turn % 4] ?? first;
      const states = await limiter.consume(charges);
      return { states, clockUs: clocks.get(states) ?? null };
    },
    close: async () => {
      for (const { limiter } of gateways) await limiter.close();
    },
  };
});

describe('the limiter in Redis', () => {
  let redis: Redis;
  let observed: Observed;

  beforeAll(() => {
    redis = openClient(shared.url);
  });
  afterAll(() => redis.quit());
  beforeEach(async () => {
    observed = observe(shared.url);
    await observed.becomes(true);
  });
  afterEach(() => observed.limiter.close());

  /** The least of several tries: a Redis that others use too counts theirs as well. */
  async function commandsOf(work: () => Promise<unknown>): Promise<number> {
    const count = async (): Promise<number> =>
      Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
    let least = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 5; tries++) {
      const before = await count();
      await work();
      least = Math.min(least, (await count()) - before);
    }
    return least;
  }
  /** The INFO before is counted, the one after is not yet; each script call also counts what it calls. */
  const INFO = 1;
  const SCRIPT = 1 + ['TIME', 'GET', 'GET', 'SET', 'SET'].length;

  test('idle, a request with several limits is one round trip, sent at once', async () => {
    const commands = await commandsOf(async () =>
      observed.limiter.consume([
        charge(limitOf(), freshKey()),
        charge(limitOf({ name: 'other' }), freshKey()),
      ]),
    );
    expect(commands).toBe(INFO + SCRIPT);
    expect(observed.calls).toEqual([1, 1, 1, 1, 1]);
  });

  test('200 requests at once are a handful of calls, and still all right', async () => {
    const limit = limitOf({ quota: 50 });
    const keys = [freshKey(), freshKey(), freshKey(), freshKey()];
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        observed.limiter.consume([charge(limit, keys[index % 4] ?? '')]),
      ),
    );
    expect(all.every(passed)).toBe(true);
    expect(observed.calls.reduce((sum, size) => sum + size, 0)).toBe(200);
    expect(observed.calls.length).toBeLessThanOrEqual(5);
    const next = await Promise.all(keys.map((key) => observed.limiter.consume([charge(limit, key)])));
    expect(next.some(passed)).toBe(false);
  });

  test('requests of one call are judged in order, each all or nothing', async () => {
    const [one, two] = [limitOf({ name: 'one', quota: 2 }), limitOf({ name: 'two', quota: 1 })];
    const [a, b] = [freshKey(), freshKey()];
    const ahead = observed.limiter.consume([charge(one, freshKey())]);
    const gathered = await Promise.all([
      observed.limiter.consume([charge(one, a), charge(two, b)]),
      observed.limiter.consume([charge(one, a), charge(two, b)]),
      observed.limiter.consume([charge(one, a)]),
      observed.limiter.consume([charge(one, a)]),
    ]);
    await ahead;
    expect(observed.calls).toEqual([1, 4]);
    expect(gathered.map(passed)).toEqual([true, false, true, false]);
  });

  test('every key is under our prefix and has a time to live', async () => {
    const key = freshKey();
    await observed.limiter.consume([charge(limitOf({ windowMs: 60_000 }), key)]);
    const ttl = await redis.pttl(`postern:limit:${key}`);
    expect(ttl).toBeGreaterThan(59_000);
    expect(ttl).toBeLessThanOrEqual(61_000);
  });

  test('a caller known to be spent costs Redis nothing, and hears a wait that is true', async () => {
    const limit = limitOf({ quota: 1, windowMs: 1000, steps: 4 });
    const [key, other] = [freshKey(), freshKey()];
    await observed.limiter.consume([charge(limit, key)]);
    await observed.limiter.consume([charge(limit, key)]);
    const asked = observed.calls.length;
    for (let more = 0; more < 100; more += 1) {
      const states = await observed.limiter.consume([
        charge(limitOf({ name: 'wide' }), other),
        charge(limit, key),
      ]);
      expect(states.map(({ counted, allowed }) => [counted, allowed])).toEqual([
        [true, true],
        [true, false],
      ]);
    }
    expect(observed.calls.length).toBe(asked);
    const [state] = await observed.limiter.consume([charge(limit, key)]);
    await sleep(state?.retryAfterMs ?? 0);
    expect(passed(await observed.limiter.consume([charge(limit, key)]))).toBe(true);
  });

  test('a smaller cost, or a raised quota, is asked for anew although the bucket was refused', async () => {
    const limit = limitOf({ quota: 3 });
    const key = freshKey();
    await observed.limiter.consume([charge(limit, key, 2)]);
    expect(passed(await observed.limiter.consume([charge(limit, key, 2)]))).toBe(false);
    expect(passed(await observed.limiter.consume([charge(limit, key, 1)]))).toBe(true);
    expect(passed(await observed.limiter.consume([charge(limit, key, 1)]))).toBe(false);
    expect(passed(await observed.limiter.consume([charge(limitOf({ quota: 4 }), key, 1)]))).toBe(true);
  });

  test('a bucket that is deleted in Redis is free here within about a second', async () => {
    const limit = limitOf({ quota: 1 });
    const key = freshKey();
    await observed.limiter.consume([charge(limit, key)]);
    expect(passed(await observed.limiter.consume([charge(limit, key)]))).toBe(false);
    await redis.del(`postern:limit:${key}`);
    await sleep(1050);
    expect(passed(await observed.limiter.consume([charge(limit, key)]))).toBe(true);
  });

  test('a stall of our own event loop is not taken for a silent Redis', async () => {
    const hasty = observe(shared.url, { timeoutMs: 40 });
    await hasty.becomes(true);
    const pending = hasty.limiter.consume([charge(limitOf(), freshKey())]);
    const until = performance.now() + 150;
    while (performance.now() < until);
    expect((await pending)[0]).toMatchObject({ counted: true, allowed: true });
    expect(hasty.changes).toHaveLength(1);
    await hasty.limiter.close();
  });
});
