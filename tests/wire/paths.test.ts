/** Request targets on the wire: one reading or none, and what was judged is, byte for byte, what is forwarded. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask, converse, flawsInRefusal, problemOf, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let gateway: GatewayFixture;
let upstream: UpstreamFixture;
let bearer: string;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(`
upstreams:
  app: { url: ${upstream.url} }
  based: { url: ${upstream.url}/base }
token_types: { item: { prefix: it_, scopes: [], attributes: { tenant: required } } }
scopes: {}
apis:
  main:
    to: app
    routes:
      GET /open: { allow: public }
      GET /files/{path...}: { allow: public }
      GET /servlet/{name}: { allow: public, path_parameters: allow }
      GET /servlet/admin: { allow: { item: any_scope } }
      GET /files/all:purge: { allow: { item: any_scope } }
      GET /users/{id}: { allow: { item: any_scope } }
      GET /users/{rest...}: { allow: public, path_parameters: allow }
      GET /geo/{a}/{b}: { allow: public, path_parameters: allow }
      GET /geo/{rest...}: { allow: { item: any_scope }, path_parameters: allow }
      GET /based/{path...}: { to: based, allow: public }
      GET /admin: { allow: { item: any_scope } }
      GET /tenants/{tenant}: { allow: { item: any_scope }, bind: { tenant: token.attribute.tenant } }
      GET /items: { allow: public }
      POST /items: { allow: public }
      OPTIONS /own: { allow: public }
`);
  bearer = `Authorization: Bearer ${(await gateway.mint('item', { attributes: { tenant: 'a b' } })).token}`;
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.seen.length = 0;
});

const separators = ['/', '//', '/./', '%2f', '%2F', '\\', '%5c', '%255c', '%252f', ';/', '/;x/', '%c0%af'];
const dots = [
  ...['..', '%2e%2e', '%2E%2E', '.%2e', '%2e.', '%252e%252e', '%25%32%65', '..;', '..;x=1', '.;'],
  ...['.', '%2e', '..%00', '..%0d', '..%09', '..%7f', '%c0%ae%c0%ae', '%e0%80%ae', '%uff0e%uff0e'],
  ...['\xef\xbc\x8e\xef\xbc\x8e', '%ef%bc%8e%ef%bc%8e', '..%5c', '..\\', '..#', '..%23', '..%3b', '..%3f'],
];
/** Under a row that takes any path: whatever is not refused as ambiguous would be forwarded. */
const climbs = separators.flatMap((separator) =>
  dots.flatMap((up) => [
    `/files${separator}${up}${separator}admin`,
    `/files/a${separator}${up}${separator}${up}${separator}admin`,
  ]),
);

const ambiguous = [
  ...[
    '//admin',
    '//evil.example/admin',
    '/files//a',
    '/files/a//',
    '/./admin',
    '/files/.',
    '/files/..',
    '/.',
  ],
  ...['/%61dmin', '/%41dmin', '/adm%69n', '/files/%2d', '/files/%5f', '/files/%7e', '/files/%39'],
  ...['/files/a%00', '/files/a%00.css', '/files/%0a', '/files/%1f', '/files/%7f', '/files/%80', '/files/%ff'],
  ...['/files/%c3', '/files/%c3%28', '/files/%ed%a0%80', '/files/%f5%80%80%80', '/files/%c2%85'],
  ...[
    '/files/%',
    '/files/%4',
    '/files/%zz',
    '/files/%u002f',
    '/files/a|b',
    '/files/"',
    '/files/<',
    '/files/^',
  ],
  ...[
    '/files/all%3Apurge',
    '/files/all%3apurge',
    '/servlet/admin;x=1',
    '/servlet/admin;',
    '/servlet/;',
    '/;',
  ],
  ...['/users/5;x', '/users/5;', '/users/;5', '/geo/;/x', '/geo/;v=1/x', '/geo/x/;'],
  ...['/files/`', '/files/{', '/files/[x]', '/files/a;b', '/open;x=1', '/;/open', '/\\admin', '/files/a\\b'],
  ...['/admin#x', '/open#/../admin', '/open?a#b', '/files/%23', '/files/%25', '/files/%2525', '/files/%3f'],
  ...['/files/%ef%bc%8f', '/files/%c5%bf', '/files/%e2%84%aa', '/files/%e2%80%a5', '/files/%ef%b8%b0'],
  ...[
    '/files/\x80',
    '/files/\xff',
    '/files/\xc3\xa9',
    '/files/\x7f',
    '/files/\x01',
    '/files/a\tb',
    '/open?\xe9',
  ],
  ...[
    '\\admin',
    'admin',
    '?open',
    '*',
    'http://gate/open',
    'https://evil.example/open',
    'gate:80',
    '.',
    '%2fopen',
  ],
];

test('no spelling of a climb, a double slash or a hidden byte is forwarded, even where any path would be', async () => {
  const wrong = await Promise.all(
    [...climbs, ...ambiguous].map(async (target) => {
      const { answers } = await converse(gateway.port, requestBytes(`GET ${target}`));
      const flaws = answers.flatMap(flawsInRefusal);
      const isOne400 = answers.length === 1 && answers[0]?.status === 400;
      return isOne400 && flaws.length === 0
        ? []
        : [[target, ...answers.map(({ status }) => status), ...flaws]];
    }),
  );
  expect(wrong.flat()).toEqual([]);
  expect(upstream.seen).toEqual([]);
});

describe('nothing is equal that is not the same:', () => {
  test.each([
    ...['/ADMIN', '/Admin', '/admin/', '/admin.json', '/admin.', '/admin,', '/admin=', '/admin/x', '/adminx'],
    ...[
      '/open/',
      '/OPEN',
      '/open.html',
      '/',
      '/files',
      '/files/',
      '/nothing?x=/open',
      '/nothing?/open',
      '/.well',
    ],
  ])('%s is nowhere', async (target) => {
    const answer = await ask(gateway.port, requestBytes(`GET ${target}`, [bearer]));
    expect(problemOf(answer)?.code).toBe('route_not_found');
    expect(upstream.seen).toEqual([]);
  });
});

describe('forwarded byte for byte:', () => {
  test.each([
    ...[
      '/open',
      '/open?',
      '/open??',
      '/open?a=1&a=2&&=&',
      '/open?a|b',
      '/open?%',
      '/open?a=%zz&b=%2',
      '/open?+%20+',
    ],
    ...[
      '/open?a=/../admin',
      '/open?//x',
      '/open?a[]=1&b={c}',
      '/open?"<>`^\\',
      '/open?a;b',
      '/open?%00%0d%0a',
    ],
    ...[
      '/files/a',
      '/files/a/',
      '/files/...',
      '/files/.a',
      '/files/a..b',
      '/files/-_~',
      "/files/!$&'()*+,=:@",
    ],
    ...['/files/a%20b', '/files/caf%C3%A9', '/files/caf%c3%a9', '/files/%7C%22%3c%3E', '/files/%e2%82%ac/x'],
    ...['/files/all%3Apurge2', '/files/x/all%3Apurge', '/files/all%20purge'],
    ...['/servlet/a;v=1', `/open?${'x'.repeat(8192 - 6)}`],
  ])('%s', async (target) => {
    const answer = await ask(gateway.port, requestBytes(`GET ${target}`));
    expect(answer.status).toBe(200);
    expect(upstream.seen.map((one) => one.target)).toEqual([target]);
  });

  test('under the base path of an upstream, by putting one behind the other', async () => {
    await ask(gateway.port, requestBytes('GET /based/x%20y?z=%2F..'));
    expect(upstream.seen.map(({ target }) => target)).toEqual(['/base/based/x%20y?z=%2F..']);
  });
});

test('a target of 8,193 bytes is too long', async () => {
  const answer = await ask(gateway.port, requestBytes(`GET /open?${'x'.repeat(8192 - 5)}`));
  expect(problemOf(answer)?.code).toBe('uri_too_long');
});

test('a bound parameter is decoded once, and only to compare', async () => {
  const own = await ask(gateway.port, requestBytes('GET /tenants/a%20b', [bearer]));
  const other = await ask(gateway.port, requestBytes('GET /tenants/a+b', [bearer]));
  expect([own.status, other.status]).toEqual([200, 403]);
  expect(upstream.seen.map(({ target }) => target)).toEqual(['/tenants/a%20b']);
});

describe('methods', () => {
  test.each([
    ['DELETE', '/items', 'GET, HEAD, POST'],
    ['PUT', '/items', 'GET, HEAD, POST'],
    ['TRACE', '/items', 'GET, HEAD, POST'],
    ['PROPFIND', '/items', 'GET, HEAD, POST'],
    ['M-SEARCH', '/items', 'GET, HEAD, POST'],
    ['OPTIONS', '/items', 'GET, HEAD, POST'],
    ['POST', '/admin', 'GET, HEAD'],
    ['HEAD', '/own', 'OPTIONS'],
  ])('%s %s is refused with the methods there are', async (method, path, allow) => {
    const answer = await ask(gateway.port, requestBytes(`${method} ${path}`));
    if (method !== 'HEAD') expect(flawsInRefusal(answer)).toEqual([]);
    expect([answer.status, answer.field('allow')]).toEqual([405, allow]);
    expect(upstream.seen).toEqual([]);
  });

  test('an OPTIONS row is forwarded like any other', async () => {
    expect((await ask(gateway.port, requestBytes('OPTIONS /own'))).status).toBe(200);
    expect(upstream.seen.map(({ method }) => method)).toEqual(['OPTIONS']);
  });

  test('HEAD is judged by the GET row, forwarded as HEAD, and answered without a body', async () => {
    const { answers } = await converse(gateway.port, requestBytes('HEAD /items'));
    expect(answers.map(({ status, body }) => [status, body])).toEqual([[200, '']]);
    expect(upstream.seen.map(({ method }) => method)).toEqual(['HEAD']);
    const { answers: refused } = await converse(gateway.port, requestBytes('HEAD /admin'));
    expect(refused.map(({ status, body }) => [status, body])).toEqual([[401, '']]);
    expect(upstream.seen).toHaveLength(1);
  });
});

test('after all of it the log names rows and no target', () => {
  const text = gateway.logText();
  expect(gateway.lines.length).toBeGreaterThan(climbs.length);
  expect(text).not.toMatch(/evil|%2e|%5c|\\\\|xxx|ADMIN|caf%/);
  expect(gateway.lines.filter(({ target, path, url }) => target ?? path ?? url)).toEqual([]);
});
