/** Guesses at tokens that are looked up side by side: the failure budget holds for what is told of them, not only for what is asked. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} } }
token_types: { user: { prefix: usr_, grantable: [], hash: { use: bcrypt, cost: 7, lookup_chars: 12 } } }
failure_budget: { rate: 3/1h, per: address }
apis: { main: { to: app, routes: { GET /x: { allow: { user: any_scope } } } } }
`);
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

const use = async (token: string): Promise<number> => {
  const answer = await fetch(`${gateway.url}/x`, { headers: { Authorization: `Bearer ${token}` } });
  await answer.arrayBuffer();
  return answer.status;
};

test('of many guesses at once no more are told right from wrong than the budget has', async () => {
  const [known, fresh] = [await gateway.mint('user'), await gateway.mint('user')];
  expect(await use(known.token)).toBe(200);
  const wrong = Array.from({ length: 12 }, (_, i) => `${fresh.token.slice(0, -2)}${10 + i}`);
  const told = await Promise.all([...wrong, fresh.token].map(use));
  expect(told.slice(0, -1).filter((status) => status !== 429)).toEqual([401, 401, 401]);
  expect([200, 429]).toContain(told.at(-1));
  expect(await Promise.all([use(known.token), use(wrong[0] ?? '')])).toEqual([200, 429]);
  expect(upstream.seen.length).toBeLessThanOrEqual(3);
});
