/** `unused_for` on the wire: a token that nobody uses is refused as an expired one, however it is kept and remembered. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unusedLeewayMs } from '../../policy/unused.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const hour = 3_600_000;
const types = ['plain', 'hashed', 'piped'] as const;

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} } }
token_types:
  plain: { prefix: pla_, scopes: [read], unused_for: 1h }
  hashed: { prefix: has_, issue: { length: 40 }, hash: { use: bcrypt, cost: 4 }, scopes: [read], unused_for: 1h }
  piped: { format: id_pipe_random, scopes: [read], unused_for: 1h }
  forever: { prefix: for_, scopes: [read] }
scopes: { read: Read }
apis:
  main:
    to: app
    routes:
      GET /x: { allow: { plain: read, hashed: read, piped: read, forever: read } }
fixtures:
  - { name: a made-up token is in use, request: GET /x, as: { plain: {} }, expect: forward }
`);
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

/** As if it had come long ago, and was last used so long ago. */
function age(id: string, agoMs: number): string {
  const old = id.replace(/^tok_.{10}/, 'tok_0000000000');
  const database = new Database(join(gateway.folder, 'data/postern.db'));
  database
    .prepare('update tokens set id = ?, created_at = 1, last_used_at = ? where id = ?')
    .run(old, Date.now() - agoMs, id);
  database.close();
  return old;
}

async function ask(token: string) {
  const answer = await fetch(`${gateway.url}/x`, { headers: { Authorization: `Bearer ${token}` } });
  const { code } = await gateway.account(answer.headers.get('x-request-id'));
  return { status: answer.status, code, text: (await answer.text()).replace(/"instance":"[^"]*"/, '') };
}

test.each(types)('a %s token that was verified a moment ago is refused once it was unused', async (type) => {
  const { id, token } = await gateway.mint(type);
  expect((await ask(token)).status).toBe(200);
  age(id, hour + unusedLeewayMs + 1);
  const refused = await ask(token);
  expect([refused.status, refused.code]).toEqual([401, 'token_expired']);
  expect(refused.text).toBe((await ask(`pla_${'x'.repeat(48)}`)).text);
  expect((await ask(token)).status).toBe(401);
});

test.each(types)(
  'a %s token that is used in the last moment goes on, before that is written',
  async (type) => {
    const { id, token } = await gateway.mint(type);
    const old = age(id, hour + unusedLeewayMs - 2000);
    expect((await ask(token)).status).toBe(200);
    // Its use is noted; what the database says is older than it may be.
    age(old, hour + unusedLeewayMs + 60_000);
    expect((await ask(token)).status).toBe(200);
  },
);

test('a token of another type goes on, however long nobody used it', async () => {
  const { id, token } = await gateway.mint('forever');
  age(id, 1e11);
  expect((await ask(token)).status).toBe(200);
});
