/**
 * What a token row from PostgreSQL costs a request, beside SQLite: one gateway process each, one upstream, requests on
 * 1 and on 64 connections. `node tests/bench/postgres.ts`; it starts its own PostgreSQL.
 */
import { readFileSync } from 'node:fs';
import { loadConfig } from '../../gateway/config/load.ts';
import { openStore } from '../../gateway/open-store.ts';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import { createTestDatabase, startPostgres } from '../fixtures/postgres.ts';
import { configFile, type PosternProcess, startPostern } from '../fixtures/process.ts';
import { startUpstream } from '../fixtures/upstream.ts';

const MEASURED_MS = 2_500;
const ROUNDS = 3;
const TOKENS = 100;

const [server, upstream] = await Promise.all([startPostgres(), startUpstream()]);
upstream.answer = (_req, res) => void res.end('ok');
const database = await createTestDatabase(server);
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
`;

type Stand = { readonly name: string; readonly gateway: PosternProcess; readonly tokens: readonly string[] };

async function openStand(name: string, store: string): Promise<Stand> {
  const file = configFile(yaml, { store });
  const gateway = await startPostern(file.path);
  const loading = loadConfig(file.path, {});
  const type = loading.ok ? loading.config.policy.types.get('user') : undefined;
  if (!loading.ok || type === undefined) throw new Error('no type');
  const opened = await openStore(loading.config.store, { now: Date.now });
  const tokens: string[] = [];
  for (let n = 0; n < TOKENS; n++) {
    const given = {
      label: 'bench',
      scopes: ['items:read'],
      origins: [],
      expiresAt: null,
      createdBy: 'bench',
    };
    tokens.push((await opened.create({ ...given, type, attributes: new Map() })).plaintext);
  }
  await opened.close();
  return { name, gateway, tokens };
}

/** User and system time of a process in ms; a tick is 10 ms. */
function cpuMs(pid: number): number {
  const [, , , , , , , , , , , , , user, system] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ');
  return (Number(user) + Number(system)) * 10;
}

async function queries(): Promise<number> {
  const sql = 'select xact_commit as n from pg_stat_database where datname = current_database()';
  return Number((await database.query(sql))[0]?.n);
}

async function measure({ name, gateway, tokens }: Stand, connections: number) {
  const cpu = cpuMs(gateway.pid);
  const before = await queries();
  const latencies: number[] = [];
  const endMs = performance.now() + MEASURED_MS;
  const call = async (number: number): Promise<void> => {
    const client = new KeepAlive(gateway.port);
    for (let n = number; performance.now() < endMs; n++) {
      const beganMs = performance.now();
      const { status } = await client.get('/items', { Authorization: `Bearer ${tokens[n % TOKENS]}` });
      if (status !== 200) throw new Error(`${status}`);
      latencies.push(performance.now() - beganMs);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: connections }, (_, number) => call(number)));
  // PostgreSQL counts a session's queries a second late.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  latencies.sort((a, b) => a - b);
  return {
    store: name,
    connections,
    'requests/s': Math.round((latencies.length / MEASURED_MS) * 1000),
    'p50 µs': Math.round((latencies[latencies.length >> 1] ?? 0) * 1000),
    'CPU µs a request': Math.round(((cpuMs(gateway.pid) - cpu) / latencies.length) * 1000),
    'queries a request': Number((((await queries()) - before) / latencies.length).toFixed(2)),
  };
}

const stands = [
  await openStand('SQLite', '{ url: "sqlite:./data/postern.db" }'),
  await openStand('PostgreSQL', `{ url: "${database.url}" }`),
];
const rows: Awaited<ReturnType<typeof measure>>[] = [];
for (const stand of stands) await measure(stand, 64);
for (let round = 0; round < ROUNDS; round++) {
  for (const connections of [1, 64]) for (const stand of stands) rows.push(await measure(stand, connections));
}
rows.sort((a, b) => a.connections - b.connections || b.store.localeCompare(a.store));
console.table(rows);
for (const { gateway } of stands) await gateway.kill();
await Promise.all([server.stop(), upstream.stop()]);
process.exit(0);
