/** Limits through the whole gateway, on both counters: what is promised of any trailing window, and what callers are told. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { KeepAlive, type WireAnswer } from '../fixtures/keep-alive.ts';
import { openRedis } from '../fixtures/redis.ts';
import { type RedisTap, tapRedis } from '../fixtures/redis-tap.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const quota = 100;
const windowMs = 1000;
/** Bucket names are new in every run: a shared Redis remembers. */
const run = Date.now().toString(36);

const config = (origin: string): string => `
upstreams:
  # Its diagnostics tell when a request goes on.
  app: { url: ${origin}, client: undici }
token_types:
  user: { prefix: usr_, grantable: [items:read] }
scopes:
  items:read: Read items
limits:
  burst-${run}: { rate: ${quota}/${windowMs / 1000}s, per: [token], steps: 25, on_redis_down: closed }
  few-${run}: { rate: 3/1s, per: [token], on_redis_down: closed }
  all-${run}: { rate: 1000/1m, per: [token], on_redis_down: closed }
apis:
  main:
    to: app
    routes:
      GET /burst/{n}: { allow: { user: items:read }, limits: [burst-${run}] }
      GET /few: { allow: { user: items:read }, limits: [few-${run}, all-${run}] }
      GET /few/{n}: { allow: { user: any_scope }, limits: [few-${run}] }
`;

/** When a request was judged: between these two, in ms of the process's monotonic clock. */
type Bracket = { readonly afterMs: number; readonly beforeMs: number };

/**
 * Brackets every forwarded request's count, in the gateway's own process and on the clock its in-process
 * limiter counts by: from node's server handing the head over until undici is handed the request.
 */
function watchAdmissions(gatewayPort: number): { brackets: Map<string, Bracket>; stop: () => void } {
  const heads = new Map<string, number>();
  const brackets = new Map<string, Bracket>();
  const onHead = (message: unknown): void => {
    const { request } = message as { request: IncomingMessage };
    if (request.socket.localPort === gatewayPort) heads.set(request.url ?? '', performance.now());
  };
  const onForward = (message: unknown): void => {
    const { request } = message as { request: { path: string } };
    const afterMs = heads.get(request.path);
    if (afterMs !== undefined) brackets.set(request.path, { afterMs, beforeMs: performance.now() });
  };
  subscribe('http.server.request.start', onHead);
  subscribe('undici:request:create', onForward);
  const stop = (): void => {
    unsubscribe('http.server.request.start', onHead);
    unsubscribe('undici:request:create', onForward);
  };
  return { brackets, stop };
}

/** Groups of more than `quota` that surely lie within one window, however each was placed in its bracket. */
function provenOver(brackets: readonly Bracket[]): Bracket[][] {
  const sorted = [...brackets].sort((a, b) => a.afterMs - b.afterMs);
  const over: Bracket[][] = [];
  for (const [index, first] of sorted.entries()) {
    const group = sorted.slice(index, index + quota + 1);
    const latest = Math.max(...group.map(({ beforeMs }) => beforeMs));
    if (group.length > quota && latest - first.afterMs < windowMs) over.push(group);
  }
  return over;
}

/** For tests that count single requests: a Redis held up for 50 ms by a busy machine is no failure of theirs. */
const again = { retry: 2 };

describe.each(['in this process', 'in Redis'] as const)('limits counted %s', (where) => {
  let redis: { readonly url: string; stop(): Promise<void> } | null = null;
  let tap: RedisTap | null = null;
  let upstream: UpstreamFixture;
  let gateway: GatewayFixture;
  beforeAll(async () => {
    upstream = await startUpstream();
    upstream.answer = (_req, res) => void res.end('ok');
    if (where === 'in Redis') {
      redis = await openRedis();
      tap = await tapRedis(redis.url);
    }
    gateway = await startTestGateway(
      config(upstream.url),
      tap === null ? '' : `redis: { url: "${tap.url}" }`,
    );
  });
  afterAll(async () => {
    await gateway.stop();
    tap?.stop();
    await redis?.stop();
    await upstream.stop();
  });

  async function caller(): Promise<{
    id: string;
    get: (path: string) => Promise<WireAnswer>;
    close: () => void;
  }> {
    const { id, token } = await gateway.mint('user', { scopes: ['items:read'] });
    const client = new KeepAlive(gateway.port);
    const get = (path: string) => client.get(path, { Authorization: `Bearer ${token}` });
    return { id, get, close: () => client.close() };
  }

  test('64 parallel clients are never admitted more often than N in any trailing window', async () => {
    const { token } = await gateway.mint('user', { scopes: ['items:read'] });
    const watch = watchAdmissions(gateway.port);
    const tapped = tap?.seen.length ?? 0;
    const statuses = new Map<number, number>();
    const startedMs = performance.now();
    /** A busy machine cannot ask as often in that time: it has some more. */
    const goesOn = (): boolean => {
      const windows = (performance.now() - startedMs) / windowMs;
      return windows < 2.4 || (windows < 20 && (statuses.get(200) ?? 0) < 3 * quota);
    };
    let asked = 0;
    const client = async (): Promise<void> => {
      const connection = new KeepAlive(gateway.port);
      while (goesOn()) {
        asked++;
        const { status } = await connection.get(`/burst/${asked}`, { Authorization: `Bearer ${token}` });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: 64 }, client));
    watch.stop();

    const admitted = statuses.get(200) ?? 0;
    // A Redis that a busy machine held up for 50 ms was away for a moment: 503 then, and nobody is let in.
    const away = statuses.get(503) ?? 0;
    expect(admitted + (statuses.get(429) ?? 0) + away).toBe(asked);
    if (tap === null) expect(away).toBe(0);
    expect(watch.brackets.size).toBe(admitted);
    expect(provenOver([...watch.brackets.values()])).toEqual([]);
    // In two windows, two steps and a bit there is room for three times N: it was full all along, if we could ask.
    expect(admitted).toBeGreaterThanOrEqual(3 * quota);
    if (tap === null) {
      // The brackets must be narrow, or they would prove nothing.
      const widths = [...watch.brackets.values()].map(({ afterMs, beforeMs }) => beforeMs - afterMs);
      expect(widths.sort((a, b) => a - b)[Math.floor(widths.length * 0.95)]).toBeLessThan(windowMs / 10);
    } else {
      const clocks = tap.seen
        .slice(tapped)
        .filter(({ allowed }) => allowed)
        .map(({ clockUs }) => clockUs);
      if (away === 0) expect(clocks).toHaveLength(admitted);
      else expect(clocks.length).toBeGreaterThanOrEqual(admitted);
      const tooSoon = clocks.filter((at, index) => at - (clocks[index - quota] ?? -1e15) < windowMs * 1000);
      expect(tooSoon).toEqual([]);
    }
  });

  test('Retry-After is true, and RateLimit says what is left', again, async () => {
    const { get, close } = await caller();
    const policy = `"few-${run}";q=3;w=1`;
    for (const left of [2, 1, 0]) {
      const { status, headers } = await get('/few');
      expect([status, headers.get('ratelimit-policy')]).toEqual([200, policy]);
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"few-${run}";r=${left};t=[01]$`));
    }
    const refused = await get('/few');
    expect([refused.status, JSON.parse(refused.body).code]).toEqual([429, 'rate_limited']);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit')).toBe(`"few-${run}";r=0;t=1`);
    await sleep(1000 * Number(refused.headers.get('retry-after')));
    expect((await get('/few')).status).toBe(200);
    close();
  });

  test('rows that name the same limit share its bucket, and every token has its own', again, async () => {
    const [one, other] = [await caller(), await caller()];
    const paths = ['/few', '/few/1', '/few/2', '/few', '/few/3'];
    const statuses: number[] = [];
    for (const path of paths) statuses.push((await one.get(path)).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    expect((await other.get('/few')).status).toBe(200);
    one.close();
    other.close();
  });

  test('a token that is dead is 401, though its bucket is spent', again, async () => {
    const { id, get, close } = await caller();
    for (let i = 0; i < 3; i++) await get('/few');
    expect((await get('/few')).status).toBe(429);
    await gateway.running.tokens.revoke(id, 'test', null);
    expect((await get('/few')).status).toBe(401);
    close();
  });

  test('what is refused before it is counted costs nothing', again, async () => {
    const { get, close } = await caller();
    for (let i = 0; i < 5; i++) expect((await get('/few/..')).status).toBe(400);
    for (let i = 0; i < 3; i++) expect((await get('/few')).status).toBe(200);
    expect((await get('/few')).status).toBe(429);
    close();
  });
});
