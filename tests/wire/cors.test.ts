/** Origins on the wire: preflights end here, rows with `cors` own every CORS field, pins compare exactly. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { StoreFault } from '../../store/fault.ts';
import { ask, flawsInRefusal, problemOf, type ReadAnswer, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../fixtures/raw-upstream.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const site = 'https://site.example';

let gateway: GatewayFixture;
let upstream: UpstreamFixture;
let raw: RawUpstream;
let pinned: string;
let free: string;

beforeAll(async () => {
  [upstream, raw] = await Promise.all([startUpstream(), startRawUpstream()]);
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} }, raw: { url: ${raw.url} }, dead: { url: http://127.0.0.1:1 } }
token_types:
  item: { prefix: it_, scopes: [] }
  other: { prefix: ot_, scopes: [] }
scopes: {}
cors:
  list:
    origins: ["${site}", "http://localhost:3000"]
    methods: [GET, POST]
    headers: [Authorization, Content-Type]
    expose: [Retry-After]
    credentials: true
    max_age: 10m
  any: { origins: any }
pins:
  strict: { kind: origin, when_missing: deny }
  lax: { kind: origin, when_missing: allow }
limits: { one: { rate: 1/1h, per: [token] } }
apis:
  main:
    to: app
    routes:
      GET /list: { allow: { item: any_scope }, cors: list }
      POST /list: { allow: { item: any_scope }, cors: list, body: { max: 4B } }
      DELETE /list: { allow: { item: any_scope } }
      GET /any: { allow: public, cors: any }
      GET /none: { allow: public }
      GET /limited: { allow: { item: any_scope }, cors: list, limits: [one] }
      GET /dead: { to: dead, allow: public, cors: list }
      GET /raw: { to: raw, allow: public, cors: list }
      GET /rawnone: { to: raw, allow: public }
      GET /strict: { allow: { item: any_scope }, pins: [strict] }
      GET /lax: { allow: { item: any_scope }, pins: [lax] }
      GET /off: { allow: { item: any_scope }, pins: { strict: off, lax: off } }
`);
  pinned = (await gateway.mint('item', { origins: [site, 'http://localhost:3000'] })).token;
  free = (await gateway.mint('item')).token;
});

afterAll(async () => {
  await gateway.stop();
  await Promise.all([upstream.stop(), raw.stop()]);
});

beforeEach(() => {
  upstream.seen.length = 0;
});

const preflight = (path: string, origin: string, ...lines: string[]): Promise<ReadAnswer> =>
  ask(gateway.port, requestBytes(`OPTIONS ${path}`, [`Origin: ${origin}`, ...lines]));
const method = (name: string) => `Access-Control-Request-Method: ${name}`;

/** Looks like the site and is not (CORS by substring, suffix, case, port, user info, list, …). */
const impostors = [
  ...['null', 'NULL', '', '*', 'site.example', '//site.example', 'https://', 'https:site.example'],
  ...[`${site}.evil.example`, 'https://evilsite.example', 'https://evil.example/site.example', `${site}evil`],
  ...[
    `${site}/`,
    `${site}/x`,
    `${site}?x`,
    `${site}#x`,
    `${site}.`,
    `${site}:80`,
    `${site}:8443`,
    `${site}:`,
  ],
  ...[
    'http://site.example',
    'ftp://site.example',
    'HTTPS://site.example',
    'https://SITE.example',
    `${site}:0443`,
  ],
  ...[
    'https://user@site.example',
    'https://site.example@evil.example',
    'https://sub.site.example',
    `${site}%00`,
  ],
  ...[
    `${site}%2eevil.example`,
    `${site}, https://evil.example`,
    `https://evil.example, ${site}`,
    `${site} ${site}`,
  ],
  ...[
    `${site}\\.evil.example`,
    `${site}\`x`,
    `${site}_`,
    `${site}-`,
    `${site}'`,
    `${site}"`,
    `${site};`,
    `${site}|`,
  ],
  ...[
    'https://s\xeete.example',
    'https://xn--ste-tma.example',
    'https://site\xb7example',
    'https://siteXexample',
  ],
  ...[
    'https://[::1]',
    'https://127.0.0.1',
    'http://localhost',
    'http://localhost:30000',
    'http://localhost:3001',
  ],
  ...[
    'https://*.example',
    'https://site.*',
    'javascript:alert(1)',
    'file://',
    'data:,',
    'chrome-extension://x',
  ],
];

describe('a preflight is answered here, without a token and without the upstream:', () => {
  test('for a listed origin, with the whole block', async () => {
    const answer = await preflight('/list', site, method('POST'), 'Access-Control-Request-Headers: x-any');
    expect(answer.status).toBe(204);
    const fields = answer.fields.filter(([name]) => /^(?:access-control|vary|content)/i.test(name));
    expect(Object.fromEntries(fields)).toEqual({
      'Access-Control-Allow-Origin': site,
      'Access-Control-Allow-Methods': 'GET, POST',
      'Access-Control-Allow-Headers': 'Authorization, Content-Type',
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Max-Age': '600',
      Vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    });
    expect(upstream.seen).toEqual([]);
  });

  test('for any origin where the block says so, and then without credentials', async () => {
    const answer = await preflight('/any', 'https://anywhere.example:8443', method('HEAD'));
    expect([answer.status, answer.field('access-control-allow-origin')]).toEqual([
      ...[204, 'https://anywhere.example:8443'],
    ]);
    expect(answer.field('access-control-allow-credentials')).toBe(null);
    expect(upstream.seen).toEqual([]);
  });

  test('for no other origin, however alike', async () => {
    for (const origin of impostors) {
      const answer = await preflight('/list', origin, method('GET'));
      expect(flawsInRefusal(answer), origin).toEqual([]);
      expect(problemOf(answer)?.code, origin).toBe('cors_origin_not_allowed');
      expect([answer.field('access-control-allow-origin'), answer.field('vary')]).toEqual([null, 'Origin']);
    }
    expect(upstream.seen).toEqual([]);
  });

  test('not even by `any` for what is no origin', async () => {
    for (const origin of [
      'null',
      '*',
      '',
      `${site}/`,
      `${site} x`,
      'https://user@site.example',
      'https://a..b',
    ]) {
      expect((await preflight('/any', origin, method('GET'))).status, origin).toBe(403);
    }
  });
});

test.each([
  ['/none', [`Origin: ${site}`, method('GET')], 405],
  ['/list', [`Origin: ${site}`], 405],
  ['/list', [method('GET')], 405],
  ['/list', [`Origin: ${site}`, method('GET'), method('POST')], 405],
  ['/nothing', [`Origin: ${site}`, method('GET')], 404],
  ['/list', [`Origin: ${site}`, 'Origin: https://evil.example', method('GET')], 400],
])('OPTIONS %s with %j is %i and never forwarded', async (path, lines, status) => {
  const answer = await ask(gateway.port, requestBytes(`OPTIONS ${path}`, lines));
  expect(flawsInRefusal(answer)).toEqual([]);
  expect(answer.status).toBe(status);
  expect(answer.fields.some(([name]) => /^access-control/i.test(name))).toBe(false);
  expect(upstream.seen).toEqual([]);
});

describe('every answer of a row with cors can be read by the page, refusals too:', () => {
  const as = (token: string) => `Authorization: Bearer ${token}`;
  const readable = (answer: ReadAnswer) => {
    expect(answer.field('access-control-allow-origin')).toBe(site);
    expect(answer.field('access-control-allow-credentials')).toBe('true');
    expect(answer.field('access-control-expose-headers')).toBe('Retry-After');
    expect(answer.field('vary')).toBe('Origin');
  };
  const from = (line: string, ...lines: string[]) =>
    ask(gateway.port, requestBytes(line, [`Origin: ${site}`, ...lines]));

  test.each([200, 401, 403, 413, 429, 500, 502, 503])('%i', async (status) => {
    const { tokens } = gateway.running;
    const other = (await gateway.mint('other')).token;
    const ways: Readonly<Record<number, () => Promise<ReadAnswer>>> = {
      200: () => from('GET /list', as(free)),
      401: () => from('GET /list'),
      403: () => from('GET /list', as(other)),
      413: () => from('POST /list', as(free), 'Content-Length: 5'),
      429: async () => {
        await from('GET /limited', as(free));
        return from('GET /limited', as(free));
      },
      500: () => {
        vi.spyOn(tokens, 'find').mockRejectedValueOnce(new TypeError('a bug'));
        return from('GET /list', as(free));
      },
      502: () => from('GET /dead'),
      503: () => {
        vi.spyOn(tokens, 'find').mockRejectedValueOnce(new StoreFault('store_unavailable', 'gone'));
        return from('GET /list', as(free));
      },
    };
    const answer = await ways[status]?.();
    expect(answer?.status).toBe(status);
    if (answer !== undefined) readable(answer);
  });

  test('and by no other page, which may still be answered', async () => {
    for (const origin of impostors.filter((one) => one !== '')) {
      const answer = await ask(gateway.port, requestBytes('GET /list', [`Origin: ${origin}`, as(free)]));
      expect([answer.status, answer.field('vary')], origin).toEqual([200, 'Origin']);
      expect(answer.fields.some(([name]) => /^access-control/i.test(name))).toBe(false);
    }
  });
});

describe('what the upstream says about origins', () => {
  const says = [
    ...['Access-Control-Allow-Origin: *', 'Access-Control-Allow-Credentials: true', 'Access-Control-X: y'],
    ...['Vary: Accept, Origin', 'Vary: Cookie'],
  ];
  beforeEach(() => {
    raw.answer = (socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${says.join('\r\n')}\r\n\r\n`);
  });

  test('is replaced on rows with cors; only what else it varies by is kept', async () => {
    const answer = await ask(gateway.port, requestBytes('GET /raw', ['Origin: https://evil.example']));
    expect(answer.fields.some(([name]) => /^access-control/i.test(name))).toBe(false);
    expect(answer.field('vary')).toBe('Origin, Accept, Cookie');
  });

  test('passes on rows without', async () => {
    const answer = await ask(gateway.port, requestBytes('GET /rawnone', ['Origin: https://evil.example']));
    expect(answer.fields.map(([name, value]) => `${name}: ${value}`)).toEqual(expect.arrayContaining(says));
  });
});

describe('a token with origins', () => {
  const get = (path: string, token: string, ...lines: string[]) =>
    ask(gateway.port, requestBytes(`GET ${path}`, [`Authorization: Bearer ${token}`, ...lines]));

  test.each([...['/strict', '/lax', '/list']])(
    'passes %s from each of them, in any spelling of the same origin',
    async (path) => {
      const same = [site, 'http://localhost:3000', `${site}:443`, `${site}:0443`, 'HTTPS://Site.Example'];
      for (const origin of same)
        expect((await get(path, pinned, `Origin: ${origin}`)).status, origin).toBe(200);
    },
  );

  test.each(['/strict', '/lax'])('passes %s from no other', async (path) => {
    const same = ['HTTPS://site.example', 'https://SITE.example', `${site}:0443`];
    for (const origin of impostors.filter((one) => !same.includes(one))) {
      const answer = await get(path, pinned, `Origin: ${origin}`);
      expect(problemOf(answer)?.code, origin).toBe('origin_not_allowed');
    }
    expect(upstream.seen).toEqual([]);
  });

  test('without any Origin goes by what the pin says, and by refusal where no pin is named', async () => {
    const statuses = ['/strict', '/lax', '/list', '/off'].map(
      async (path) => (await get(path, pinned)).status,
    );
    expect(await Promise.all(statuses)).toEqual([403, 200, 403, 200]);
  });

  test('is not asked where the row opted out, and one without origins is never asked', async () => {
    const evil = 'Origin: https://evil.example';
    expect((await get('/off', pinned, evil)).status).toBe(200);
    expect((await get('/strict', free, evil)).status).toBe(200);
  });
});
