/** Redis comes and goes under a serving gateway: each limit does as it was told, and all is found again. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import {
  type ConfigFile,
  configFile,
  metricOf,
  type PosternProcess,
  runPostern,
  startPostern,
} from '../fixtures/process.ts';
import { startRedis, type TestRedis } from '../fixtures/redis.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let redis: TestRedis;
let upstream: UpstreamFixture;
let file: ConfigFile;
let gateway: PosternProcess;
let client: KeepAlive;
const statuses = async (path: string, times: number): Promise<number[]> => {
  const seen: number[] = [];
  for (let i = 0; i < times; i++) seen.push((await client.get(path)).status);
  return seen;
};
const times = (count: number, status: number): number[] => Array<number>(count).fill(status);

async function limiterCheck() {
  const response = await fetch(`${gateway.health}/readyz`);
  const { checks } = (await response.json()) as {
    checks: { limiter: { ok: boolean; reason: string | null } };
  };
  return {
    status: response.status,
    ...checks.limiter,
    up: await metricOf(gateway.health, 'postern_limiter_up'),
  };
}

async function changes(event: 'redis_up' | 'redis_down', cause: () => unknown): Promise<void> {
  const from = gateway.lines.length;
  await cause();
  await gateway.line(event, from);
}

describe('a serving gateway whose Redis is', () => {
  // Each try begins anew: a Redis that only waits for a busy machine for 50 ms is lost as well.
  beforeEach(async () => {
    [redis, upstream] = await Promise.all([startRedis(), startUpstream()]);
    upstream.answer = (_req, res) => void res.end('ok');
    file = configFile(
      `
upstreams:
  app: { url: ${upstream.url} }
limits:
  local: { rate: 10/1m, per: [address], on_redis_down: local }
  open: { rate: 10/1m, per: [address], on_redis_down: open }
  closed: { rate: 100/1m, per: [address], on_redis_down: closed }
apis:
  main:
    to: app
    routes:
      GET /local: { allow: public, limits: [local] }
      GET /open: { allow: public, limits: [open] }
      GET /closed: { allow: public, limits: [closed] }
      GET /free: { allow: public }
  `,
      { head: `redis: { url: "${redis.url}", instances: 3 }` },
    );
    gateway = await startPostern(file.path);
    client = new KeepAlive(gateway.port);
  });
  afterEach(async () => {
    client.close();
    await gateway.kill();
    file.remove();
    await Promise.all([redis.stop(), upstream.stop()]);
  });

  test('up, down, up again, hung, up again', async () => {
    await gateway.line('redis_up');
    expect(await statuses('/local', 4)).toEqual(times(4, 200));
    expect(await statuses('/closed', 2)).toEqual(times(2, 200));
    expect(await limiterCheck()).toEqual({ status: 200, ok: true, reason: null, up: 1 });

    await changes('redis_down', redis.kill);
    const startedMs = performance.now();
    // floor(10 / 3) are this instance's.
    expect(await statuses('/local', 5)).toEqual([...times(3, 200), ...times(2, 429)]);
    expect(await statuses('/open', 20)).toEqual(times(20, 200));
    expect(await statuses('/free', 2)).toEqual(times(2, 200));
    const closed = await client.get('/closed');
    expect([closed.status, JSON.parse(closed.body).code]).toEqual([503, 'limiter_unavailable']);
    expect(Number(closed.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    // Nobody waited for Redis: that would have cost 50 ms each.
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect(await limiterCheck()).toMatchObject({ status: 200, ok: false, up: 0, reason: expect.any(String) });

    await changes('redis_up', redis.restart);
    expect(await statuses('/closed', 3)).toEqual(times(3, 200));
    expect(await statuses('/local', 11)).toEqual([...times(10, 200), 429]);

    await changes('redis_down', () => {
      redis.hang();
      return client.get('/closed').then(({ status }) => expect(status).toBe(503));
    });
    expect(await statuses('/open', 5)).toEqual(times(5, 200));
    await changes('redis_up', redis.resume);
    expect(await statuses('/closed', 3)).toEqual(times(3, 200));
    expect(await limiterCheck()).toEqual({ status: 200, ok: true, reason: null, up: 1 });
  });
});

test('a required Redis that is away at the start keeps the process from starting, in one line', async () => {
  const needy = configFile(
    `
upstreams: { app: { url: http://127.0.0.1:1 } }
apis: { main: { to: app, routes: { GET /free: { allow: public } } } }
`,
    { head: 'redis: { url: "redis://127.0.0.1:1", required: true }' },
  );
  const { code, stdout, stderr } = await runPostern(['serve', '--config', needy.path]);
  expect([code, stderr]).toEqual([
    1,
    'error: redis is required and cannot be reached: start it, or write redis.required: false\n',
  ]);
  expect(stdout).not.toContain('"ready"');
});
