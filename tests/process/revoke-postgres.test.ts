/**
 * Three gateways on one PostgreSQL, a fourth process that revokes: of the requests that begin after a revoke
 * was acknowledged, none gets through, on any of the three. FULL=1: 2,000 revokes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/load.ts';
import type { TokenType } from '../../policy/token-types.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';
import {
  type ConfigFile,
  configFile,
  type PosternProcess,
  runPostern,
  startPostern,
} from '../fixtures/process.ts';
import { openRedis } from '../fixtures/redis.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { openPostgresTokens } from '../store/postgres-tokens.ts';
import type { Revoked } from './revoker.ts';

const revokes = process.env.FULL === '1' ? 2_000 : 200;
/** Tokens being revoked at a time; each is used on so many connections to each gateway. */
const lanes = 4;
const connectionsEach = 2;

let upstream: UpstreamFixture;
let database: TestDatabase;
let redis: Awaited<ReturnType<typeof openRedis>>;
let file: ConfigFile;
let gateways: readonly PosternProcess[];
let store: OpenTokens;
let type: TokenType;
let revoker: ChildProcess;
beforeAll(async () => {
  [upstream, database, redis] = await Promise.all([startUpstream(), createTestDatabase(), openRedis()]);
  upstream.answer = (_req, res) => void res.end('ok');
  file = configFile(
    `
upstreams:
  app: { url: ${upstream.url} }
token_types:
  user: { prefix: usr_, grantable: [items:read] }
scopes:
  items:read: Read items
limits:
  wide: { rate: 1000000/1m, per: [token], on_redis_down: local }
apis:
  main:
    to: app
    routes:
      GET /items: { allow: { user: items:read } }
      GET /limited: { allow: { user: items:read }, limits: [wide] }
`,
    { store: `{ url: "${database.url}" }`, head: `redis: { url: "${redis.url}", required: true }` },
  );
  // All at once on an empty database: the tables are made once.
  gateways = await Promise.all([1, 2, 3].map(() => startPostern(file.path)));
  store = await openPostgresTokens(database.url);
  const loading = loadConfig(file.path, {});
  const found = loading.ok ? loading.config.policy.types.get('user') : undefined;
  if (found === undefined) throw new Error('no type');
  type = found;
  revoker = fork(fileURLToPath(new URL('./revoker.ts', import.meta.url)), [database.url], { execArgv: [] });
  revoker.setMaxListeners(100);
  await once(revoker, 'message');
});
afterAll(async () => {
  revoker.kill();
  await store.close();
  await Promise.all(gateways.map((gateway) => gateway.kill()));
  file.remove();
  await Promise.all([upstream.stop(), redis.stop()]);
  await database.drop();
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

function revoke(id: string): Promise<bigint> {
  return new Promise((resolve) => {
    const heard = (message: Revoked): void => {
      if (message.id !== id) return;
      revoker.off('message', heard);
      resolve(BigInt(message.ackNs));
    };
    revoker.on('message', heard);
    revoker.send(id);
  });
}

type Use = { readonly beganNs: bigint; readonly status: number };

/** Uses one token on all three gateways without a pause, revokes it meanwhile, and goes on until all refuse it. */
async function lane(clients: readonly KeepAlive[], path: string): Promise<{ late: number; through: Use[] }> {
  const { id, authorization } = await mint();
  let warm = 0;
  let ackNs: bigint | null = null;
  const allWarm = Promise.withResolvers<void>();
  const uses = clients.map(async (client) => {
    const seen: Use[] = [];
    for (;;) {
      const beganNs = process.hrtime.bigint();
      const { status } = await client.get(path, authorization);
      seen.push({ beganNs, status });
      if (seen.length === 1 && ++warm === clients.length) allWarm.resolve();
      // The last one began after the acknowledgement for certain.
      if (ackNs !== null && beganNs > ackNs) return seen;
    }
  });
  await allWarm.promise;
  ackNs = await revoke(id);
  const acknowledgedNs = ackNs;
  const all = (await Promise.all(uses)).flat();
  expect(all.every(({ status }) => status === 200 || status === 401)).toBe(true);
  expect(all.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(clients.length);
  const late = all.filter(({ beganNs }) => beganNs > acknowledgedNs);
  return { late: late.length, through: late.filter(({ status }) => status === 200) };
}

test(`${revokes} revokes under load: nothing gets through that began after the acknowledgement`, async () => {
  let begun = 0;
  let late = 0;
  const through: Use[] = [];
  const runLane = async (number: number): Promise<void> => {
    const clients = gateways.flatMap(({ port }) =>
      Array.from({ length: connectionsEach }, () => new KeepAlive(port)),
    );
    while (begun < revokes) {
      begun++;
      // Every other lane has a limit in Redis on its way.
      const result = await lane(clients, number % 2 === 0 ? '/items' : '/limited');
      late += result.late;
      through.push(...result.through);
    }
    for (const client of clients) client.close();
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => runLane(number)));
  if (process.env.FULL === '1')
    console.log(`${begun} revokes, ${late} requests began after one, ${through.length} through`);
  expect(through).toEqual([]);
  expect(late).toBeGreaterThanOrEqual(revokes * gateways.length * connectionsEach);
}, 120_000);

test('create and revoke by the command line act on the next request at every gateway', async () => {
  const create = [
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
  const { id, token } = JSON.parse((await runPostern(create)).stdout);
  const clients = gateways.map(({ port }) => new KeepAlive(port));
  const statuses = () =>
    Promise.all(
      clients.map(async (one) => (await one.get('/items', { Authorization: `Bearer ${token}` })).status),
    );
  expect(await statuses()).toEqual([200, 200, 200]);
  const revoked = await runPostern(['token', 'revoke', id, '--config', file.path, '--json']);
  expect(revoked.code).toBe(0);
  expect(await statuses()).toEqual([401, 401, 401]);
  for (const client of clients) client.close();
});
