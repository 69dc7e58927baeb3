/**
 * Two gateways on one PostgreSQL that also serve known tokens while it is away: what one of them learns works at the
 * other at once, and what one ends is refused at the other at once. FULL=1: 50 rounds.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';
import { type ConfigFile, configFile, type PosternProcess, startPostern } from '../fixtures/process.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const rounds = process.env.FULL === '1' ? 50 : 5;

let upstream: UpstreamFixture;
let database: TestDatabase;
let file: ConfigFile;
let a: PosternProcess;
let b: PosternProcess;
beforeAll(async () => {
  [upstream, database] = await Promise.all([startUpstream(), createTestDatabase()]);
  file = configFile(
    `
upstreams: { api: { url: ${upstream.url} } }
token_types: { user: { format: id_pipe_random, scopes: [], attributes: { user: required } } }
apis:
  main:
    to: api
    routes:
      GET /me: { allow: { user: any_scope } }
      POST /login:
        allow: public
        observe: { on: 2xx, token: { type: user, from: json:/token, attributes: { user: json:/user }, instead_of: [user] } }
      POST /logout: { allow: { user: any_scope }, observe: { on: 2xx, end: caller } }
      DELETE /users/{user}: { allow: { user: any_scope }, observe: { on: 2xx, end: { type: user, attributes: { user: "{user}" } } } }
`,
    { store: `{ url: "${database.url}", when_down: { serve_known_for: 5m } }` },
  );
  [a, b] = await Promise.all([startPostern(file.path), startPostern(file.path)]);
});
afterAll(async () => {
  await Promise.all([a.kill(), b.kill()]);
  file.remove();
  await upstream.stop();
  await database.drop();
});

/** Logins answer with the token and user that the query asks for. */
beforeEach(() => {
  upstream.answer = (req, res) => {
    req.resume();
    const { searchParams } = new URL(req.url ?? '', 'http://upstream');
    res.end(JSON.stringify(Object.fromEntries(searchParams)));
  };
});

const tokenOf = (serial: number | string) => `${serial}|${String(serial).padStart(40, 'a')}`;
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

async function use(at: PosternProcess, token: string): Promise<number> {
  return (await fetch(`${at.url}/me`, bearer(token))).status;
}

async function login(at: PosternProcess, user: string, token: string): Promise<number> {
  const query = new URLSearchParams({ user, token });
  return (await fetch(`${at.url}/login?${query}`, { method: 'POST' })).status;
}

test('learned at one works at the other at once, ended at one is refused at the other at once', async () => {
  for (let round = 0; round < rounds; round++) {
    const [here, there] = round % 2 === 0 ? [a, b] : [b, a];
    const [one, other] = [tokenOf(2 * round + 1), tokenOf(2 * round + 2)];
    expect(await use(there, one)).toBe(401);
    expect(await login(here, 'ada', one)).toBe(200);
    expect(await use(there, one)).toBe(200);
    expect(await login(here, 'ada', other)).toBe(200);
    expect([await use(there, one), await use(there, other), await use(here, one)]).toEqual([401, 200, 401]);
    const done = await (round % 4 < 2
      ? fetch(`${here.url}/logout`, { method: 'POST', ...bearer(other) })
      : fetch(`${here.url}/users/ada`, { method: 'DELETE', ...bearer(other) }));
    expect(done.status).toBe(200);
    expect([await use(there, other), await use(here, other)]).toEqual([401, 401]);
  }
});

test('of logins at once at both, exactly one token works afterwards, and at both', async () => {
  const tokens = Array.from({ length: 12 }, (_, index) => tokenOf(`many${index}`));
  const logins = tokens.map((token, index) => login(index % 2 === 0 ? a : b, 'bob', token));
  expect(await Promise.all(logins)).toEqual(tokens.map(() => 200));
  for (const gateway of [a, b]) {
    const answers = await Promise.all(tokens.map((token) => use(gateway, token)));
    expect(answers.filter((status) => status === 200)).toHaveLength(1);
  }
});
