/** `verify: upstream` on the wire: the credential goes on as it came where a row says so, and nowhere else. */
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createToken, importTokens } from '../../gateway/admin/operations.ts';
import { cutFor, readCredential } from '../../gateway/credential.ts';
import { ask, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { type Seen, startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { fuzz } from '../support/fuzz.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
let own: string;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} } }
token_types:
  item: { prefix: it_, sources: [bearer, header:X-Item], scopes: [] }
  guest: { verify: upstream, sources: [bearer, header:X-Guest, query:guest, cookie:guest] }
  piped: { verify: upstream, format: id_pipe_random, sources: [header:X-Piped] }
  badge: { verify: upstream, prefix: bdg_, sources: [header:X-Badge] }
scopes: {}
failure_budget: { rate: 5/1m, per: address }
limits: { visitors: { rate: 1000/1m, per: [address], on_redis_down: local } }
identity:
  headers: { X-Postern-Token-Id: token.id, X-Postern-Token-Type: token.type, X-Postern-Scopes: token.scopes, X-Postern-Route: route.id }
  assertion: { key: { file: ./signing-key.pem } }
apis:
  main:
    to: app
    routes:
      GET /guests: { allow: { guest: any_scope, piped: any_scope, badge: any_scope }, limits: [visitors] }
      POST /guests: { allow: { guest: any_scope } }
      GET /items: { allow: { item: any_scope } }
      GET /both: { allow: { item: any_scope, guest: any_scope } }
      GET /open: { allow: public, credentials: strip }
  sockets:
    to: app
    routes:
      GET /live: { allow: { badge: any_scope }, websocket: true }
fixtures:
  - { name: guests pass, request: GET /guests, as: { guest: {} }, expect: forward }
  - { name: guests get no items, request: GET /items, as: { guest: {} }, expect: 403 type_not_allowed }
`);
  own = (await gateway.mint('item')).token;
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.seen.length = 0;
});

const credential = 'a.guest~of/the+upstream=|01';
const unknown = `it_${'0'.repeat(48)}`;

/** The answer's status, its log line, and what arrived. */
async function asked(line: string, lines: readonly string[] = []) {
  const answer = await ask(gateway.port, requestBytes(line, lines));
  const account = await gateway.account(answer.field('x-request-id'));
  return { status: answer.status, account, seen: upstream.seen.at(-1) };
}

function credentialsIn({ target, headers }: Seen): Record<string, unknown> {
  const all = { authorization: headers.authorization, cookie: headers.cookie, target };
  return { ...all, guest: headers['x-guest'], item: headers['x-item'] };
}

describe('where a row takes it', () => {
  const nothing = {
    authorization: undefined,
    cookie: undefined,
    guest: undefined,
    item: undefined,
    target: '/guests',
  };
  test.each<[string, string, readonly string[], object]>([
    ['bearer', '/guests', [`Authorization: bEaRer ${credential}`], { authorization: `bEaRer ${credential}` }],
    ['header', '/guests', [`X-Guest: ${credential}`], { guest: credential }],
    [
      'query',
      `/guests?a=%20&guest=${encodeURIComponent(credential)}&b`,
      [],
      { target: `/guests?a=%20&guest=${encodeURIComponent(credential)}&b` },
    ],
    [
      'cookie',
      '/guests',
      [`Cookie: a=b; guest=${credential}; c=d`],
      { cookie: `a=b; guest=${credential}; c=d` },
    ],
    [
      'the first of all its sources',
      `/guests?guest=${credential}&x=1`,
      [
        `Authorization: Bearer ${credential}`,
        `X-Guest: ${credential}`,
        `X-Item: ${unknown}`,
        `Cookie: guest=${credential}`,
      ],
      { authorization: `Bearer ${credential}`, target: '/guests?x=1', item: undefined, cookie: undefined },
    ],
    ['the second', '/guests', [`X-Guest: ${credential}`, 'Authorization:'], { guest: credential }],
  ])('a credential arrives as it was sent, and no other: %s', async (_, target, lines, arrived) => {
    const { status, seen, account } = await asked(`GET ${target}`, lines);
    expect([status, seen && credentialsIn(seen)]).toEqual([200, { ...nothing, target, ...arrived }]);
    expect([account.tokenType, account.unverified, account.tokenId]).toEqual(['guest', true, undefined]);
  });

  test('nothing is said or signed of who it is', async () => {
    const { seen } = await asked('GET /guests', [`X-Guest: ${credential}`, 'X-Postern-Token-Id: tok_forged']);
    const ours = Object.entries(seen?.headers ?? {}).filter(([name]) => name.startsWith('x-postern-'));
    expect(ours).toEqual([['x-postern-route', 'main GET /guests']]);
  });

  test('its shape is all that is judged', async () => {
    for (const [line, status, code] of [
      ['X-Piped: 7|abcdefghijklmnop', 200, undefined],
      ['X-Piped: abcdefghijklmnopqr', 401, 'credential_malformed'],
      ['X-Badge: bdg_0123456789abcdef', 200, undefined],
      ['X-Badge: bxg_0123456789abcdef', 401, 'credential_malformed'],
    ] as const) {
      const answer = await asked('GET /guests', [line]);
      expect([line, answer.status, answer.account.code]).toEqual([line, status, code]);
    }
  });

  test('what changes something passes by cookie too: the upstream that verifies it must look for csrf', async () => {
    expect((await asked('POST /guests', [`Cookie: guest=${credential}`, 'Content-Length: 0'])).status).toBe(
      200,
    );
  });

  test('a credential that Postern verifies is verified, and cut, beside it', async () => {
    const { status, seen, account } = await asked('GET /both', [`Authorization: Bearer ${unknown}`]);
    expect([status, account.code, seen]).toEqual([401, 'token_unknown', undefined]);
  });

  test('a right one beside it is told and cut, and the unverified one with it', async () => {
    const { seen } = await asked('GET /both', [`Authorization: Bearer ${own}`, `X-Guest: ${credential}`]);
    expect(seen?.headers['x-postern-token-type']).toBe('item');
    expect(tracesOf(credential, JSON.stringify(seen))).toEqual([]);
    expect(tracesOf(own, JSON.stringify(seen))).toEqual([]);
  });
});

describe('where no row takes it', () => {
  test('it is 403 on a row of other types, and arrives nowhere', async () => {
    const { status, account } = await asked('GET /items', [`Authorization: Bearer ${credential}`]);
    expect([status, account.code, account.unverified]).toEqual([403, 'type_not_allowed', true]);
    expect(upstream.seen).toEqual([]);
  });

  test('a public row that strips credentials strips this one', async () => {
    const lines = [
      `X-Guest: ${credential}`,
      `Cookie: guest=${credential}`,
      `Authorization: Bearer ${credential}`,
    ];
    const { status, seen } = await asked(`GET /open?guest=${credential}`, lines);
    expect(status).toBe(200);
    expect(tracesOf(credential, JSON.stringify(seen))).toEqual([]);
  });

  test('a row of verified types never forwards one, however it is sent', () => {
    const { policy } = gateway.running.config();
    const route = policy.find('gate', '/items').find(({ route: { method } }) => method === 'GET')?.route;
    if (route === undefined) throw new Error('no such row');
    const line = fc.constantFrom('Authorization', 'X-Guest', 'X-Item', 'X-Badge', 'X-Piped', 'Cookie');
    const value = fc.constantFrom(
      credential,
      `Bearer ${credential}`,
      `guest=${credential}`,
      `bdg_${credential}`,
      `7|${credential}`,
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, value), { maxLength: 4 }),
        fc.option(fc.constant(`guest=${credential}`)),
        (sent, query) => {
          const presented = readCredential(sent.flat(), query, route, policy);
          if (presented.ok)
            expect(presented.value.types.every(({ verify }) => verify === 'upstream')).toBe(true);
          const cut = cutFor(route, query);
          for (const name of ['authorization', 'x-guest', 'x-item', 'x-badge', 'x-piped'])
            expect(cut.fields).toContain(name);
          expect([cut.cookies.has('guest'), cut.query]).toEqual([true, null]);
        },
      ),
      fuzz(500),
    );
  });
});

test('an upgrade carries it on, with nothing said of who it is', async () => {
  const socket = connect(gateway.port, '127.0.0.1');
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  const badge = 'bdg_0123456789abcdef';
  socket.write(
    requestBytes('GET /live', [...lines, `X-Badge: ${badge}`, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']),
  );
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  const [seen] = upstream.seen;
  expect([seen?.headers['x-badge'], seen?.headers.upgrade]).toEqual([badge, 'websocket']);
  expect(seen?.headers['x-postern-token-type']).toBeUndefined();
});

test('it neither spends from the failure budget nor is stopped by it', async () => {
  for (let i = 0; i < 5; i++)
    expect((await asked('GET /guests', [`X-Guest: ${credential}${i}`])).status).toBe(200);
  const codes: unknown[] = [];
  for (let i = 0; i < 6; i++) codes.push((await asked('GET /items', ['X-Item: it_short'])).account.code);
  expect(codes.at(-1)).toBe('too_many_failures');
  expect((await asked('GET /guests', [`X-Guest: ${credential}`])).status).toBe(200);
});

test('no log line holds one', () => {
  expect(gateway.logText()).toContain('"unverified":true');
  expect(tracesOf(credential, gateway.logText())).toEqual([]);
});

test('none is issued or imported here', async () => {
  const { tokens } = gateway.running;
  const { policy, triggerSigners } = gateway.running.config();
  const { pins, probes, audit, usage, retirements, alerts } = tokens;
  const by = 'test';
  const desk = {
    policy,
    triggerSigners,
    tokens,
    pins,
    probes,
    audit,
    usage,
    retirements,
    alerts,
    now: Date.now,
    by,
    holds: null,
  };
  const request = { label: 'x', scopes: [], attributes: new Map(), origins: [], expiresInMs: null };
  const message = 'tokens of type guest are issued and verified by the upstream';
  expect(await createToken(desk, { ...request, type: 'guest' })).toMatchObject({
    ok: false,
    complaint: { message },
  });
  async function* lines() {
    yield JSON.stringify({ type: 'guest', sha256: '0'.repeat(64) });
  }
  const { problems, imported } = await importTokens(desk, lines());
  expect([imported, problems.map((problem) => problem.message)]).toEqual([
    0,
    [`${message}; get one there; a type without verify: upstream has tokens issued and verified here`],
  ]);
});
