/** Credentials on the wire: where one is read, what is no credential, and that none travels further. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask, flawsInRefusal, type ReadAnswer, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let gateway: GatewayFixture;
let upstream: UpstreamFixture;
/** T is good everywhere, U is another good one, H is read from a header alone, B is kept as bcrypt. */
const tokens = { T: '', U: '', H: '', B: '' };

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} } }
token_types:
  item: { prefix: it_, scopes: [], sources: [bearer, "header:X-Api-Token", "query:token", "cookie:session"] }
  head: { prefix: hd_, scopes: [], sources: ["header:X-Api-Token"] }
  old: { prefix: old_, scopes: [], hash: { use: bcrypt, cost: 4 } }
scopes: {}
apis:
  main:
    to: app
    routes:
      GET /items: { allow: { item: any_scope, head: any_scope, old: any_scope } }
      GET /open: { allow: public }
      GET /bare: { allow: public, credentials: strip }
  strict:
    to: app
    strict_scheme: true
    routes:
      GET /strict: { allow: { item: any_scope } }
`);
  tokens.T = (await gateway.mint('item')).token;
  tokens.U = (await gateway.mint('item')).token;
  tokens.H = (await gateway.mint('head')).token;
  tokens.B = (await gateway.mint('old')).token;
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.seen.length = 0;
});

/** Puts the real tokens where the table says <T>, <U>, <H>, <B>. */
function filled(text: string): string {
  return text.replace(/<([TUHB])>/g, (_, name: keyof typeof tokens) => tokens[name]);
}

function send(target: string, lines: readonly string[]): Promise<ReadAnswer> {
  return ask(gateway.port, requestBytes(`GET ${filled(target)}`, lines.map(filled)));
}

const fromQuery: readonly (readonly [target: string, forwarded: string])[] = [
  ['/items?token=<T>', '/items'],
  ['/items?token=<T>&a=1', '/items?a=1'],
  ['/items?a=1&token=<T>', '/items?a=1'],
  ['/items?a=1&token=<T>&b=2', '/items?a=1&b=2'],
  ['/items?a|b&token=<T>&%zz&+', '/items?a|b&%zz&+'],
  ['/items?&&token=<T>&&', '/items?&&&'],
  ['/items?xtoken=1&token=<T>&tokens=2&Token=3&token[]=4', '/items?xtoken=1&tokens=2&Token=3&token[]=4'],
  ['/items?a=token=1&token=<T>', '/items?a=token=1'],
];

describe('a good token is read and cut out', () => {
  test.each(fromQuery)('of the query of %s, and of nothing else', async (target, forwarded) => {
    expect((await send(target, [])).status).toBe(200);
    expect(upstream.seen.map((one) => one.target)).toEqual([forwarded]);
  });

  test('of the query where its value is percent-encoded', async () => {
    const encoded = tokens.T.replace('it_', '%69%74%5F');
    expect((await send(`/items?token=${encoded}`, [])).status).toBe(200);
    expect(upstream.seen.map((one) => one.target)).toEqual(['/items']);
  });

  test.each([
    [['Authorization: Bearer <T>'], undefined],
    [['authorization: bearer <T>'], undefined],
    [['AUTHORIZATION: BEARER <T>  '], undefined],
    [['Authorization: Bearer <B>'], undefined],
    [['X-Api-Token: <T>'], undefined],
    [['x-api-token: <H>'], undefined],
    [['Cookie: session=<T>'], undefined],
    [['Cookie: a=1; session=<T>; b=2'], 'a=1; b=2'],
    [['Cookie: session=<T>; Session=1; xsession=2'], 'Session=1; xsession=2'],
    [['Cookie: a=1', 'Cookie: session=<T>'], 'a=1'],
  ])('of %j', async (lines, cookie) => {
    expect((await send('/items', lines)).status).toBe(200);
    const [seen] = upstream.seen;
    expect(seen?.headers.cookie).toBe(cookie);
    expect(seen?.rawHeaders.some((name) => /^(?:authorization|x-api-token)$/i.test(name))).toBe(false);
    for (const token of Object.values(tokens))
      expect(tracesOf(token, JSON.stringify(upstream.seen))).toEqual([]);
  });
});

describe('the first source that holds something decides, and all are cut', () => {
  const all = ['X-Api-Token: <U>', 'Cookie: session=<U>'];
  test.each([
    ['/items?token=<U>', ['Authorization: Bearer <T>', ...all], 200],
    ['/items?token=<U>', ['Authorization: Bearer it_wrong_wrong_wrong', ...all], 401],
    ['/items?token=<U>', ['Authorization: Basic <T>', ...all], 401],
    ['/items?token=<U>', ['Authorization:', ...all], 200],
    ['/items?token=nonsense', ['X-Api-Token: <T>', 'Cookie: session=nonsense'], 200],
    ['/items?token=<T>', ['X-Api-Token: nonsense-nonsense'], 401],
    ['/items?token=<T>', ['X-Api-Token:', 'Cookie: session=nonsense'], 200],
    ['/items?token=', ['Cookie: session=<T>'], 200],
    ['/items', ['Authorization:', 'Cookie: session=<T>'], 401],
    [
      '/items?token=<U>&token=<U>',
      ['Authorization: Bearer <T>', 'X-Api-Token: <U>', 'X-Api-Token: <U>'],
      200,
    ],
    ['/items?to%6ben=<U>&%74oken=<U>', ['Authorization: Bearer <T>'], 200],
    ['/items', ['Authorization: Bearer <T>', 'Cookie: session=<U>; session=<U>'], 200],
  ])('%s with %j is %i', async (target, lines, status) => {
    expect((await send(target, lines)).status).toBe(status);
    expect(upstream.seen.length).toBe(status === 200 ? 1 : 0);
    for (const token of Object.values(tokens))
      expect(tracesOf(token, JSON.stringify(upstream.seen))).toEqual([]);
  });
});

test.each([
  ['/items', ['Authorization: Bearer <T>', 'Authorization: Bearer <T>']],
  ['/items', ['Authorization: Bearer <T>', 'Authorization:']],
  ['/items', ['X-Api-Token: <T>', 'X-Api-Token: <T>']],
  ['/items', ['X-Api-Token: <T>', 'x-api-token:']],
  ['/items?token=<T>&token=<T>', []],
  ['/items?token=<T>&token', []],
  ['/items?to%6ben=<T>', []],
  ['/items?token=<T>&%74oken=x', []],
  ['/items', ['Cookie: session=<T>; session=<T>']],
  ['/items', ['Cookie: session=<T>', 'Cookie: session=x']],
])('one source used twice is ambiguous: %s %j', async (target, lines) => {
  const answer = await send(target, lines);
  expect(flawsInRefusal(answer)).toEqual([]);
  expect(answer.status).toBe(400);
  expect(await gateway.account(answer.field('x-request-id'))).toMatchObject({ code: 'credential_ambiguous' });
  expect(upstream.seen).toEqual([]);
});

describe('is no credential:', () => {
  test.each([
    ...[
      '<T>',
      'Bearer<T>',
      'Bearer',
      'Bearer  <T>',
      'Bearer\t<T>',
      'Bearer <T> x',
      'Bearer <T>,',
      'Bearer <T>;',
    ],
    ...['Bearer "<T>"', 'Bearer <T>\xa0', 'Bearer \xa0<T>', 'Bearer\xa0<T>', 'Bearer: <T>', 'Bearer=<T>'],
    ...[
      'Bearer token=<T>',
      'Token <T>',
      'Basic <T>',
      'Negotiate <T>',
      'Digest <T>',
      'ApiKey <T>',
      'Bearerx <T>',
    ],
    ...[
      'Bearer <T>, Bearer <T>',
      'Bearer Bearer <T>',
      'Bearer it_',
      'Bearer <H>',
      'Bearer IT_<T>',
      'Bearer %69t_x',
    ],
    ...[
      'Bearer __proto__',
      'Bearer constructor',
      'Bearer null',
      'Bearer undefined',
      'Bearer *',
      "Bearer ' or 1=1--",
    ],
    `Bearer it_${'x'.repeat(600)}`,
  ])('Authorization: %s', async (value) => {
    const answer = await send('/items', [`Authorization: ${value}`]);
    expect(flawsInRefusal(answer)).toEqual([]);
    expect(answer.status).toBe(401);
    expect(await gateway.account(answer.field('x-request-id'))).toMatchObject({
      code: 'credential_malformed',
    });
    expect(upstream.seen).toEqual([]);
  });

  test.each(['T', 'B'] as const)(
    '%s with a byte more, less or other, however much of it is right',
    async (name) => {
      const good = tokens[name];
      const flip = good.endsWith('a') ? 'b' : 'a';
      const near = [
        `${good}x`,
        `${good}=`,
        good.slice(0, -1),
        `${good.slice(0, -1)}${flip}`,
        good.toUpperCase(),
      ];
      const far = [good.padEnd(73, 'x'), good.padEnd(512, 'x'), good.slice(0, 16), `${good}.${good}`];
      for (const token of [...near, ...far]) {
        expect((await send('/items', [`Authorization: Bearer ${token}`])).status).toBe(401);
      }
      expect(upstream.seen).toEqual([]);
    },
  );

  test('a header whose name only resembles the source', async () => {
    for (const name of [
      'X_Api_Token',
      'X.Api.Token',
      'X-Api-Tokens',
      'Proxy-Authorization',
      'X-Authorization',
    ]) {
      expect((await send('/items', [`${name}: <T>`])).status).toBe(401);
    }
    expect(upstream.seen).toEqual([]);
  });
});

test('unknown, wrong, malformed, expired and revoked look the same to the last byte', async () => {
  const expired = await gateway.mint('item', { expiresAt: Date.now() - 1 });
  const revoked = await gateway.mint('item');
  await gateway.running.tokens.revoke(revoked.id, 'test', 'lost');
  const values = [
    `it_${'x'.repeat(40)}`,
    `${tokens.T}x`,
    `${tokens.B}x`,
    'nonsense',
    expired.token,
    revoked.token,
  ];
  const looks = new Set<string>();
  for (const value of values) {
    const { status, fields, body, field } = await send('/items', [`Authorization: Bearer ${value}`]);
    const id = field('x-request-id') ?? '';
    const own = fields
      .filter(([name]) => name !== 'Date')
      .map(([name, text]) => [name, text.replace(id, 'ID')]);
    looks.add(JSON.stringify([status, own, body.replace(id, 'ID')]));
  }
  expect([...looks]).toHaveLength(1);
});

test('a public row passes what the client presents, unless it strips: then no cookie goes either', async () => {
  const lines = ['Authorization: Basic YTpi', 'X-Api-Token: mine', 'Cookie: session=mine; a=1'];
  await send('/open?token=mine', lines);
  await send('/bare?token=mine&b=2', lines);
  const [open, bare] = upstream.seen;
  expect([open?.target, open?.headers.authorization, open?.headers.cookie]).toEqual([
    ...['/open?token=mine', 'Basic YTpi', 'session=mine; a=1'],
  ]);
  expect([bare?.target, bare?.headers.authorization, bare?.headers.cookie]).toEqual([
    '/bare?b=2',
    undefined,
    undefined,
  ]);
  expect(JSON.stringify(bare)).not.toContain('mine');
});

test('the search for tokens finds them in every form', () => {
  const { T } = tokens;
  const hidden = [T, T.slice(-14), encodeURIComponent(T), btoa(`Bearer ${T}`), btoa(`:${T}`), btoa(`${T}:x`)];
  const bytes = [...Buffer.from(T)].map((byte) => byte.toString(16).toUpperCase());
  for (const form of [...hidden, bytes.join(''), `%${bytes.join('%')}`]) {
    expect(tracesOf(T, `"before ${form} after"`), form).not.toEqual([]);
  }
  expect(tracesOf(T, tokens.U)).toEqual([]);
});

test('after all of it the log holds no token in any form, and no word of the callers', () => {
  const text = gateway.logText();
  expect(gateway.lines.length).toBeGreaterThan(50);
  for (const token of Object.values(tokens)) expect(tracesOf(token, text)).toEqual([]);
  expect(text).not.toMatch(/nonsense|__proto__|constructor|or 1=1|YTpi|xtoken/);
});

describe('where the scheme is strict', () => {
  test.each(['Authorization: Bearer <T>', 'AUTHORIZATION:Bearer <T>', 'X-Api-Token: <T>'])(
    '%s is read',
    async (line) => {
      expect((await send('/strict', [line])).status).toBe(200);
      expect(tracesOf(tokens.T, JSON.stringify(upstream.seen))).toEqual([]);
    },
  );

  test.each(['bearer <T>', 'BEARER <T>', 'BeArEr <T>', 'Bearer  <T>', 'Bearer\t<T>', 'Bearer<T>', '<T>'])(
    '%s is a token that is not valid, and elsewhere only its case does not count',
    async (value) => {
      const answer = await send('/strict', [`Authorization: ${value}`, 'X-Api-Token: <U>']);
      expect([answer.status, flawsInRefusal(answer)]).toEqual([401, []]);
      expect(answer.field('www-authenticate')).toBe('Bearer realm="strict", error="invalid_token"');
      const { code } = await gateway.account(answer.field('x-request-id'));
      expect(code).toBe('credential_malformed');
      expect(upstream.seen).toEqual([]);
      const loose = await send('/items', [`Authorization: ${value}`]);
      expect(loose.status).toBe(/^bearer <T>$/i.test(value) ? 200 : 401);
    },
  );
});
