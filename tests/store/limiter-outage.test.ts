import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Limiter } from '../../store/limiter.ts';
import { openClient, startRedis, type TestRedis } from '../fixtures/redis.ts';
import { charge, freshKey, limitOf, passed } from './limiter.suite.ts';
import { type Observed, observe } from './limiter-observed.ts';

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));
afterAll(() => expect(unhandled).toEqual([]));

describe('when Redis is away', () => {
  let server: TestRedis;
  let observed: Observed;
  const local = limitOf({ name: 'local', quota: 10, onRedisDown: 'local' });

  beforeEach(async () => {
    server = await startRedis();
    observed = observe(server.url, { timeoutMs: 200, instances: 3 });
    await observed.becomes(true);
  });
  afterEach(async () => {
    await observed.limiter.close();
    server.resume();
    await server.stop();
  });

  /** How long 99 of 100 requests took, in ms; the last one is the scheduler's. None may be a promise. */
  function waited(limiter: Limiter): number {
    const waits: number[] = [];
    for (let use = 0; use < 2000; use += 1) {
      const start = performance.now();
      expect(limiter.consume([charge(local, `k${use}`)])).toBeInstanceOf(Array);
      waits.push(performance.now() - start);
    }
    return waits.sort((a, b) => a - b)[1980] ?? Number.NaN;
  }

  test('killed: requests go on without a wait, one change is told, and a restart is found by itself', async () => {
    const { limiter, changes } = observed;
    await server.kill();
    await observed.becomes(false);
    expect(waited(limiter)).toBeLessThan(5);
    expect(limiter.health()).toMatchObject({ ok: false, kind: 'redis' });
    await server.restart();
    await observed.becomes(true);
    expect(passed(await limiter.consume([charge(limitOf(), freshKey())]))).toBe(true);
    expect(changes.map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(changes[1]?.reason).toMatch(/clos|ECONN/i);
  });

  test('hung: only what was on its way waits, and no later than the timeout', async () => {
    const { limiter } = observed;
    server.hang();
    const start = performance.now();
    const states = await Promise.all(
      Array.from({ length: 50 }, () => limiter.consume([charge(local, 'one key')])),
    );
    expect(performance.now() - start).toBeLessThan(200 + 150);
    // floor(10 / 3) of them, counted here.
    expect(states.filter(passed)).toHaveLength(3);
    expect(limiter.health().reason).toBe('no answer within 200 ms');
    expect(waited(limiter)).toBeLessThan(5);
  });

  test('hung and woken: it is used again, and an answer that comes late is nobody’s', async () => {
    const { limiter } = observed;
    const lost = limitOf({ name: 'lost', quota: 7, onRedisDown: 'open' });
    const [lostKey, nextKey] = [freshKey(), freshKey()];
    server.hang();
    expect((await limiter.consume([charge(lost, lostKey)]))[0]?.counted).toBe(false);
    server.resume();
    await observed.becomes(true);
    const [next] = await limiter.consume([charge(limitOf({ quota: 100 }), nextKey, 10)]);
    expect(next).toMatchObject({ counted: true, allowed: true, remaining: 90 });
    // Redis did count the lost one when it woke: neither assumed nor forgotten.
    const [after] = await limiter.consume([charge(lost, lostKey)]);
    expect([5, 6]).toContain(after?.remaining);
  });

  test('each limit does as it was told: counted here, or left to policy', async () => {
    await server.kill();
    await observed.becomes(false);
    const open = limitOf({ name: 'open', onRedisDown: 'open' });
    const closed = limitOf({ name: 'closed', onRedisDown: 'closed' });
    const states = await observed.limiter.consume([
      charge(open, 'o'),
      charge(local, 'l'),
      charge(closed, 'c'),
    ]);
    expect(states.map(({ limit, counted, allowed }) => [limit, counted, allowed])).toEqual([
      [open, false, false],
      [local, true, true],
      [closed, false, false],
    ]);
    expect(states[1]?.remaining).toBe(2);
  });

  test('local counts are all or nothing too, and a share of nothing admits nobody', async () => {
    await server.kill();
    await observed.becomes(false);
    const { limiter } = observed;
    const tiny = limitOf({ name: 'tiny', quota: 2, windowMs: 9000, onRedisDown: 'local' });
    const states = await limiter.consume([charge(local, 'l'), charge(tiny, 't')]);
    expect(states[1]).toMatchObject({
      limit: tiny,
      counted: true,
      allowed: false,
      remaining: 0,
      retryAfterMs: 9000,
    });
    expect((await limiter.consume([charge(local, 'l')]))[0]?.remaining).toBe(2);
    expect((await limiter.consume([charge(local, 'l', 11)]))[0]?.retryAfterMs).toBe(-1);
  });

  test('a request before the first connection waits for it, and is counted in Redis', async () => {
    const early = observe(server.url);
    const [state] = await early.limiter.consume([charge(limitOf({ onRedisDown: 'open' }), freshKey())]);
    expect(state).toMatchObject({ counted: true, allowed: true });
    await early.limiter.close();
  });

  test('it starts without Redis, and finds it when it comes', async () => {
    await server.kill();
    const late = observe(server.url, { timeoutMs: 200 });
    expect(passed(await late.limiter.consume([charge(local, 'l')]))).toBe(true);
    expect(late.limiter.health()).toMatchObject({
      ok: false,
      reason: expect.stringContaining('ECONNREFUSED'),
    });
    await server.restart();
    await late.becomes(true);
    await late.limiter.close();
  });

  test('FLUSHALL and SCRIPT FLUSH are no outage', async () => {
    const { limiter, changes } = observed;
    const limit = limitOf({ quota: 3 });
    const redis = openClient(server.url);
    await limiter.consume([charge(limit, 'k', 2)]);
    await redis.script('FLUSH');
    expect((await limiter.consume([charge(limit, 'k')]))[0]).toMatchObject({ counted: true, remaining: 0 });
    await redis.flushall();
    expect((await limiter.consume([charge(limit, 'k')]))[0]).toMatchObject({ counted: true, remaining: 2 });
    await redis.quit();
    expect(changes).toHaveLength(1);
  });

  test('a Redis that answers but cannot count is away until it can', async () => {
    const redis = openClient(server.url);
    await redis.config('SET', 'maxmemory', '1');
    expect(passed(await observed.limiter.consume([charge(local, 'l')]))).toBe(true);
    expect(observed.limiter.health().reason).toMatch(/OOM/);
    await redis.config('SET', 'maxmemory', '0');
    await observed.becomes(true);
    await redis.quit();
  });

  test('a Redis that refuses our password is away, and the password is in no reason', async () => {
    const redis = openClient(server.url);
    await redis.config('SET', 'requirepass', 'correct horse');
    const url = server.url.replace('redis://', 'redis://:wrong-horse@');
    const barred = observe(url);
    expect(passed(await barred.limiter.consume([charge(local, 'l')]))).toBe(true);
    expect(barred.limiter.health().reason).toMatch(/WRONGPASS/);
    expect(JSON.stringify(barred.changes)).not.toContain('wrong-horse');
    await barred.limiter.close();
    redis.disconnect();
  });

  test('closing answers what still waits', async () => {
    server.hang();
    const waiting = [1, 2, 3, 4].map(() => observed.limiter.consume([charge(local, 'l')]));
    await observed.limiter.close();
    const states = await Promise.all(waiting);
    expect(states.filter(passed)).toHaveLength(3);
  });
});
