/** Where every look-up takes its time: wrong tokens beside it keep out nobody whose token this process has verified before. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let database: TestDatabase;
let gateway: GatewayFixture;

beforeAll(async () => {
  [upstream, database] = await Promise.all([startUpstream(), createTestDatabase()]);
  const yaml = `
upstreams: { app: { url: ${upstream.url} } }
token_types: { user: { prefix: usr_, grantable: [] } }
failure_budget: { rate: 1/1h, per: address }
apis: { main: { to: app, routes: { GET /x: { allow: { user: any_scope } } } } }
`;
  gateway = await startTestGateway(yaml, `store: { url: "${database.url}" }`);
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
  await database.drop();
});

const use = async (token: string): Promise<number> => {
  const answer = await fetch(`${gateway.url}/x`, { headers: { Authorization: `Bearer ${token}` } });
  await answer.arrayBuffer();
  return answer.status;
};

test('the last of the budget is spent while a known token is looked up, and it gets in', async () => {
  const known = (await gateway.mint('user')).token;
  const wrong = known.replace(/.{4}$/, '0000');
  expect(await use(known)).toBe(200);
  const holder = new pg.Client({ connectionString: database.url });
  await holder.connect();
  await holder.query('begin; lock table tokens in access exclusive mode');
  const told = Promise.all([use(wrong), use(known), use(known)]);
  const stuck = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await vi.waitUntil(async () => (await database.query(stuck)).length > 1, { interval: 5, timeout: 5000 });
  await holder.query('commit');
  await holder.end();
  expect(await told).toEqual([401, 200, 200]);
  expect(await Promise.all([use(wrong), use(known)])).toEqual([429, 200]);
});
