/** PostgreSQL comes and goes under serving gateways: 503 and never 401, or what was known; then all is found again. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/load.ts';
import type { TokenType } from '../../policy/token-types.ts';
import { StoreUnreachable } from '../../store/fault.ts';
import type { NewToken } from '../../store/token-store.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import {
  createTestDatabase,
  startPostgres,
  type TestDatabase,
  type TestPostgres,
} from '../fixtures/postgres.ts';
import {
  type ConfigFile,
  configFile,
  eventually,
  metricOf,
  type PosternProcess,
  runPostern,
  startPostern,
} from '../fixtures/process.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { openPostgresTokens } from '../store/postgres-tokens.ts';

let server: TestPostgres;
let database: TestDatabase;
let upstream: UpstreamFixture;
let store: OpenTokens;
let type: TokenType;
/** `refusing`: when_down is refuse; `knowing`: known tokens are served for 2 s. */
const files: ConfigFile[] = [];
let refusing: PosternProcess;
let knowing: PosternProcess;

beforeAll(async () => {
  [server, upstream] = await Promise.all([startPostgres(), startUpstream()]);
  upstream.answer = (req, res) => void (req.url === '/feed' ? res.write('open') : res.end('ok'));
  database = await createTestDatabase(server);
  const yaml = `
upstreams:
  app: { url: ${upstream.url} }
token_types:
  user: { prefix: usr_, grantable: [items:read] }
scopes:
  items:read: Read items
apis:
  main:
    to: app
    routes:
      GET /items: { allow: { user: items:read } }
      GET /feed: { allow: { user: items:read } }
      GET /free: { allow: public }
`;
  for (const down of ['refuse', '{ serve_known_for: 2s }']) {
    files.push(configFile(yaml, { store: `{ url: "${database.url}", when_down: ${down} }` }));
  }
  const paths = files.map(({ path }) => path);
  [refusing, knowing] = (await Promise.all(paths.map((path) => startPostern(path)))) as [
    PosternProcess,
    PosternProcess,
  ];
  store = await openPostgresTokens(database.url);
  const loading = loadConfig(paths[0] ?? '', {});
  const found = loading.ok ? loading.config.policy.types.get('user') : undefined;
  if (found === undefined) throw new Error('no type');
  type = found;
});
afterAll(async () => {
  await store.close();
  await Promise.all([refusing.kill(), knowing.kill()]);
  for (const file of files) file.remove();
  await Promise.all([server.stop(), upstream.stop()]);
});

type Answer = { readonly status: number; readonly code: string | null; readonly ms: number };
type Caller = (path?: string) => Promise<Answer>;

/** One connection to a gateway, with one token. */
function caller({ port }: PosternProcess, token: string): Caller {
  const client = new KeepAlive(port);
  return async (path = '/items') => {
    const beganMs = performance.now();
    const { status, body } = await client.get(path, { Authorization: `Bearer ${token}` });
    return { status, code: status === 200 ? null : JSON.parse(body).code, ms: performance.now() - beganMs };
  };
}

/** A stream that nobody ends; `cut` resolves when it is. */
async function openFeed({ url }: PosternProcess, token: string) {
  const { body } = await fetch(`${url}/feed`, { headers: { Authorization: `Bearer ${token}` } });
  const reader = body?.getReader();
  await reader?.read();
  const feed = { isCut: false, cut: Promise.resolve() };
  feed.cut = (reader?.read() ?? Promise.resolve()).then(
    () => {},
    () => {
      feed.isCut = true;
    },
  );
  return feed;
}

function tokenOf(label: string): NewToken {
  const attributes = new Map<string, string>();
  return { type, label, scopes: ['items:read'], attributes, origins: [], expiresAt: null, createdBy: 't' };
}

/** By connections of this process, which may still be of the outage before: each that is lost is told once. */
async function mint(): Promise<{ id: string; token: string }> {
  for (let left = 5; ; left--) {
    try {
      const { record, plaintext } = await store.create(tokenOf('outage'));
      return { id: record.id, token: plaintext };
    } catch (error) {
      if (!(error instanceof StoreUnreachable) || left === 0) throw error;
    }
  }
}

const unknownToken = `usr_${'0'.repeat(48)}`;
const refused503 = { status: 503, code: 'store_unavailable' };

async function ready(
  gateway: PosternProcess,
): Promise<{ status: number; store: { ok: boolean; reason: string } }> {
  const response = await fetch(`${gateway.health}/readyz`);
  const { checks } = (await response.json()) as { checks: { store: { ok: boolean; reason: string } } };
  return { status: response.status, store: checks.store };
}

async function upAgain(): Promise<void> {
  const [one, other] = await Promise.all([mint(), mint()]);
  const calls = [caller(refusing, one.token), caller(knowing, other.token)];
  for (const call of calls) await eventually('served again', async () => (await call()).status === 200);
}

describe('a gateway whose PostgreSQL', () => {
  let call: Caller;
  let stranger: Caller;
  beforeEach(async () => {
    const { token } = await mint();
    call = caller(refusing, token);
    stranger = caller(refusing, unknownToken);
    expect(await call()).toMatchObject({ status: 200 });
    expect(await stranger()).toMatchObject({ status: 401 });
  });

  test('shuts down answers 503, at once and never 401, and finds it again by itself', async () => {
    const from = refusing.lines.length;
    await server.shutDown();
    expect(await call()).toMatchObject(refused503);
    expect(await stranger()).toMatchObject(refused503);
    expect((await call()).ms).toBeLessThan(500);
    expect(await call('/free')).toMatchObject({ status: 200 });
    expect(await ready(refusing)).toMatchObject({ status: 503, store: { ok: false } });
    expect(await metricOf(refusing.health, 'postern_store_up')).toBe(0);
    await refusing.line('store_down', from);
    await server.start();
    await refusing.line('store_up', from);
    expect(await call()).toMatchObject({ status: 200 });
    expect(await stranger()).toMatchObject({ status: 401 });
    expect(await ready(refusing)).toMatchObject({ status: 200, store: { ok: true, reason: null } });
    expect(await metricOf(refusing.health, 'postern_store_up')).toBe(1);
    await upAgain();
  });

  test('hangs answers 503 within the time limit, then at once, and finds it again', async () => {
    server.hang();
    const [first, other] = await Promise.all([call(), stranger()]);
    expect([first, other]).toMatchObject([refused503, refused503]);
    expect(Math.max(first.ms, other.ms)).toBeLessThan(4_500);
    const second = await call();
    expect(second).toMatchObject(refused503);
    expect(second.ms).toBeLessThan(500);
    expect((await ready(refusing)).status).toBe(503);
    server.resume();
    await eventually('served again', async () => (await call()).status === 200);
    expect(await stranger()).toMatchObject({ status: 401 });
    await upAgain();
  });

  test('crashes under load answers 200 or 503, nothing else', async () => {
    const seen = new Set<number>();
    let done = false;
    const { token } = await mint();
    const load = Array.from({ length: 8 }, async () => {
      const one = caller(refusing, token);
      while (!done) seen.add((await one()).status);
    });
    await server.crash();
    await eventually('refused', async () => (await call()).status === 503);
    await server.start();
    await eventually('served again', async () => (await call()).status === 200);
    done = true;
    await Promise.all(load);
    expect([...seen].sort()).toEqual([200, 503]);
    await upAgain();
  });

  test('cuts every connection, and stays up, is asked again on new ones: nobody notices', async () => {
    for (let round = 0; round < 3; round++) {
      await database.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postern'",
      );
      expect(await call()).toMatchObject({ status: 200 });
    }
  });

  test('becomes read-only is not believed: 503 until it is the primary again', async () => {
    await database.query('alter system set default_transaction_read_only = on');
    await database.query('select pg_reload_conf()');
    const cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postern'";
    await database.query(cut);
    await eventually('refused', async () => (await call()).status === 503);
    expect((await ready(refusing)).store.reason).toMatch(/primary/);
    await database.query('alter system reset default_transaction_read_only');
    await database.query('select pg_reload_conf()');
    await eventually('served again', async () => (await call()).status === 200);
    await upAgain();
  });
});

test('a commit whose wait for its standby is cancelled is not acknowledged, and reads go on', async () => {
  const { id, token } = await mint();
  const call = caller(refusing, token);
  await database.query("alter system set synchronous_standby_names = 'nobody'");
  await database.query('select pg_reload_conf()');
  const waiting = "select pid from pg_stat_activity where wait_event = 'SyncRep'";
  // The servers take the new setting in their own time: until then a revoke is simply done.
  await eventually('a standby is waited for', async () => {
    const probing = store.create(tokenOf('probe')).catch(() => {});
    await Promise.race([probing, new Promise((resolve) => setTimeout(resolve, 100))]);
    return (await database.query(waiting)).length > 0;
  });
  const revoking = store.revoke(id, 't', null).catch((error: Error) => error);
  await eventually('the revoke waits too', async () => (await database.query(waiting)).length > 1);
  // Not acknowledged, so it may still get through; what matters is that requests do not wait with it.
  expect([200, 401]).toContain((await call()).status);
  await database.query(`select pg_cancel_backend(pid) from (${waiting}) as waiting`);
  expect(String(await revoking)).toMatch(/did not say whether it was written/);
  await database.query('alter system reset synchronous_standby_names');
  await database.query('select pg_reload_conf()');
  await eventually('nobody waits', async () => (await database.query(waiting)).length === 0);
  expect(await store.revoke(id, 't', null)).toMatchObject({ id, version: 2 });
  expect((await call()).status).toBe(401);
});

describe('with serve_known_for, while PostgreSQL is away', () => {
  test('known tokens are served for that long and no longer, dead ones stay dead, others are 503; streams go on', async () => {
    const [known, dead, unseen] = await Promise.all([mint(), mint(), mint()]);
    const [call, deadCall, unseenCall, stranger] = [known.token, dead.token, unseen.token, unknownToken].map(
      (token) => caller(knowing, token),
    ) as [Caller, Caller, Caller, Caller];
    expect((await deadCall()).status).toBe(200);
    await store.revoke(dead.id, 't', null);
    expect((await deadCall()).status).toBe(401);
    expect((await call()).status).toBe(200);
    const feeds = await Promise.all([refusing, knowing].map((gateway) => openFeed(gateway, known.token)));
    const lastReadMs = performance.now();
    await server.shutDown();
    expect((await call()).status).toBe(200);
    expect((await deadCall()).status).toBe(401);
    for (const one of [unseenCall, stranger]) expect(await one()).toMatchObject(refused503);
    expect(await ready(knowing)).toMatchObject({ status: 200, store: { reason: /known tokens are served/ } });
    expect(await metricOf(knowing.health, 'postern_store_up')).toBe(0);
    await eventually('refused', async () => (await call()).status === 503);
    const servedMs = performance.now() - lastReadMs;
    expect(servedMs).toBeGreaterThan(1_000);
    expect(servedMs).toBeLessThan(3_000);
    expect((await ready(knowing)).status).toBe(503);
    // Nobody can tell whether they may: they go on, and are looked at again when it is back.
    expect(feeds.map(({ isCut }) => isCut)).toEqual([false, false]);
    await server.start();
    await eventually('served again', async () => (await call()).status === 200);
    expect((await stranger()).status).toBe(401);
    await upAgain();
    await store.revoke(known.id, 't', null);
    await Promise.all(feeds.map(({ cut }) => cut));
    expect(feeds.map(({ isCut }) => isCut)).toEqual([true, true]);
  });
});

describe('at the start', () => {
  test('a gateway waits for a server that is starting, and a command says what is wrong', async () => {
    await server.shutDown();
    const list = ['token', 'list', '--config', files[0]?.path ?? ''];
    const failed = await runPostern(list);
    expect([failed.code, failed.stderr]).toEqual([
      1,
      expect.stringMatching(/PostgreSQL 127.*ECONNREFUSED.*; check store.url/),
    ]);
    const starting = startPostern(files[0]?.path ?? '');
    await server.start();
    const gateway = await starting;
    const { token } = await mint();
    expect((await caller(gateway, token)()).status).toBe(200);
    // A lost server does not keep it from ending either.
    await server.shutDown();
    gateway.signal('SIGTERM');
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
  });
});
