/**
 * First uses at once at three gateways on one PostgreSQL: one id is pinned, and of the other none gets through.
 * FULL=1: 20 rounds.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/load.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { requestBytes } from '../fixtures/answers.ts';
import { KeepAlive, type WireAnswer } from '../fixtures/keep-alive.ts';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';
import { type ConfigFile, configFile, type PosternProcess, startPostern } from '../fixtures/process.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { openPostgresTokens } from '../store/postgres-tokens.ts';

const rounds = process.env.FULL === '1' ? 20 : 3;
const events = 50;
const ids = ['com.example.one', 'com.example.two'] as const;

let upstream: UpstreamFixture;
let database: TestDatabase;
let file: ConfigFile;
let gateways: readonly PosternProcess[] = [];
let store: OpenTokens;
beforeAll(async () => {
  [upstream, database] = await Promise.all([startUpstream(), createTestDatabase()]);
  file = configFile(
    `
upstreams: { app: { url: ${upstream.url} } }
token_types: { project: { prefix: pro_, grantable: [], attributes: { project: required } } }
pins:
  app: { kind: bundle_id, from: json:/app_id, first_use: pin, belongs_to: attribute.project, when_missing: deny }
apis:
  main:
    to: app
    routes:
      POST /ingest: { allow: { project: any_scope }, pins: [app] }
      POST /free: { allow: public }
`,
    { store: `{ url: "${database.url}" }` },
  );
  gateways = await Promise.all([1, 2, 3].map(() => startPostern(file.path)));
  store = await openPostgresTokens(database.url);
});
afterAll(async () => {
  await store.close();
  await Promise.all(gateways.map((gateway) => gateway.kill()));
  file.remove();
  await upstream.stop();
  await database.drop();
});

async function mint(project: string): Promise<string> {
  const loading = loadConfig(file.path, {});
  const type = loading.ok ? loading.config.policy.types.get('project') : undefined;
  if (type === undefined) throw new Error('no type');
  const attributes = new Map([['project', project]]);
  const chosen = { label: 'event', scopes: [], origins: [], expiresAt: null, createdBy: 'test' };
  return (await store.create({ type, attributes, ...chosen })).plaintext;
}

function send(client: KeepAlive, target: string, token: string, id: string): Promise<WireAnswer> {
  const text = JSON.stringify({ app_id: id });
  const fields = [
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${text.length}`,
  ];
  return client.ask(requestBytes(`POST ${target}`, fields, text));
}

test(`of ${events} first events at once, half with each of two ids, one id gets through; ${rounds} times`, async () => {
  const clients = Array.from({ length: events }, (_, n) => {
    return new KeepAlive((gateways[n % gateways.length] as PosternProcess).port);
  });
  const winners = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const project = `race-${round}`;
    const token = await mint(project);
    // Every connection is open before the first event.
    await Promise.all(clients.map((client) => send(client, '/free', '', '')));
    upstream.seen.length = 0;
    const answers = await Promise.all(
      clients.map(async (client, n) => {
        const id = ids[n % 2 === 0 ? 0 : 1];
        const answer = await send(client, '/ingest', token, id);
        return {
          id,
          status: answer.status,
          code: answer.status === 200 ? null : JSON.parse(answer.body).code,
        };
      }),
    );
    const key = { pin: 'app', subject: `project=${project}` };
    const pin = await store.pins.read(key);
    expect(ids).toContain(pin?.value);
    expect(pin?.version).toBe(1);
    for (const { id, status, code } of answers) {
      expect([status, code]).toEqual(id === pin?.value ? [200, null] : [403, 'bundle_mismatch']);
    }
    expect(upstream.seen.map(({ body }) => JSON.parse(body).app_id)).toEqual(
      Array(events / 2).fill(pin?.value),
    );
    const { entries } = await store.audit.list({ subject: key.subject, after: null, limit: 10 });
    expect(entries).toMatchObject([{ action: 'pin.first_use', detail: { pin: 'app', value: pin?.value } }]);
    winners.add(pin?.value ?? '');
  }
  if (process.env.FULL === '1') console.log(`${rounds} rounds, ${winners.size} different winners`);
  for (const client of clients) client.close();
}, 60_000);

test('a pin that is let go is let go at every gateway, and the next first use holds at the others', async () => {
  const token = await mint('moved');
  const [one, two, three] = gateways.map(({ port }) => new KeepAlive(port)) as [
    KeepAlive,
    KeepAlive,
    KeepAlive,
  ];
  const [before, after] = ids;
  expect((await send(one, '/ingest', token, before)).status).toBe(200);
  expect((await send(two, '/ingest', token, after)).status).toBe(403);
  await store.pins.change({ pin: 'app', subject: 'project=moved' }, null, 'operator', 'a new app');
  expect((await send(three, '/ingest', token, after)).status).toBe(200);
  expect((await send(one, '/ingest', token, before)).status).toBe(403);
  expect((await send(two, '/ingest', token, after)).status).toBe(200);
  for (const client of [one, two, three]) client.close();
});
