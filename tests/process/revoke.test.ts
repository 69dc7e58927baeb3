/** A revoke by another process is seen by the very next request, on a connection that was open before. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/load.ts';
import type { TokenType } from '../../policy/token-types.ts';
import { openSqliteTokens, type SqliteTokenStore } from '../../store/tokens-sqlite.ts';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import {
  type ConfigFile,
  configFile,
  type PosternProcess,
  runPostern,
  startPostern,
} from '../fixtures/process.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let file: ConfigFile;
let gateway: PosternProcess;
/** This process's own hand on the gateway's database. */
let store: SqliteTokenStore;
let type: TokenType;
beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answer = (_req, res) => void res.end('ok');
  file = configFile(`
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
`);
  gateway = await startPostern(file.path);
  store = await openSqliteTokens({ path: file.database, now: Date.now });
  const loading = loadConfig(file.path, {});
  const found = loading.ok ? loading.config.policy.types.get('user') : undefined;
  if (found === undefined) throw new Error('no type');
  type = found;
});
afterAll(async () => {
  await store.close();
  await gateway.kill();
  file.remove();
  await upstream.stop();
});

async function mint(): Promise<{ id: string; authorization: { Authorization: string } }> {
  const { record, plaintext } = await store.create({
    type,
    label: 'revoked soon',
    scopes: ['items:read'],
    attributes: new Map(),
    origins: [],
    expiresAt: null,
    createdBy: 'test',
  });
  return { id: record.id, authorization: { Authorization: `Bearer ${plaintext}` } };
}

/** Keeps another connection busy until `work` is done. @returns statuses seen, by count. */
async function underLoad(work: () => Promise<void>): Promise<ReadonlyMap<number, number>> {
  const { authorization } = await mint();
  const statuses = new Map<number, number>();
  let done = false;
  const other = new KeepAlive(gateway.port);
  const load = (async () => {
    while (!done) {
      const { status } = await other.get('/items', authorization);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    other.close();
  })();
  await work().finally(() => {
    done = true;
  });
  await load;
  return statuses;
}

test('200 revokes by another process: not one next request gets through, and nobody else is refused', async () => {
  const client = new KeepAlive(gateway.port);
  const statuses = await underLoad(async () => {
    for (let round = 0; round < 200; round++) {
      const { id, authorization } = await mint();
      expect((await client.get('/items', authorization)).status).toBe(200);
      await store.revoke(id, 'the other process', null);
      expect((await client.get('/items', authorization)).status).toBe(401);
    }
  });
  expect(client.opened).toBe(1);
  client.close();
  expect([...statuses.keys()]).toEqual([200]);
  expect(statuses.get(200)).toBeGreaterThan(200);
});

test('create and revoke by the command line act on the next request of an open connection', async () => {
  const client = new KeepAlive(gateway.port);
  const token = [
    'token',
    'create',
    '--config',
    file.path,
    '--type',
    'user',
    '--scope',
    'items:read',
    '--json',
  ];
  const created = await runPostern(token);
  expect(created.code).toBe(0);
  const { id, token: plaintext } = JSON.parse(created.stdout);
  const authorization = { Authorization: `Bearer ${plaintext}` };
  expect((await client.get('/items', authorization)).status).toBe(200);
  const revoked = await runPostern(['token', 'revoke', id, '--config', file.path, '--json']);
  expect(JSON.parse(revoked.stdout)).toMatchObject({ id, revoked_at: expect.stringMatching(/Z$/) });
  const refused = await client.get('/items', authorization);
  expect([refused.status, JSON.parse(refused.body).code]).toEqual([401, 'invalid_token']);
  expect(client.opened).toBe(1);
  client.close();
});
