import { describe, expect, test } from 'vitest';
import { cutFor } from '../../gateway/credential.ts';
import { HeaderRules, outgoingHeaders } from '../../gateway/headers.ts';
import { foldName } from '../../policy/identity.ts';
import {
  type Fields,
  gatePermit,
  gatePolicy,
  gateRoute,
  goodToken,
  identity,
  pairs,
  spellings,
} from '../support/gate.ts';

type Path = Parameters<typeof gateRoute>[0];

const rules = new HeaderRules(gatePolicy.identity);

/** What the upstream of a row would read. */
function sent(client: Fields, path: Path = '/user', contentLength: number | null = null): Fields {
  const route = gateRoute(path);
  const flat = outgoingHeaders({
    rawHeaders: [['Host', 'api.test'], ...client].flat(),
    httpVersion: '1.1',
    permit: gatePermit(route),
    hops: null,
    cut: cutFor(route, null),
    policy: gatePolicy,
    assertion: null,
    rules,
    host: 'app.internal:9001',
    contentLength,
  });
  return pairs(flat);
}

/** Every value under a name, in any spelling. */
const under = (fields: Fields, name: string) =>
  fields.filter(([own]) => foldName(own) === foldName(name)).map(([, value]) => value);

const hop: Fields = [
  ['Host', 'app.internal:9001'],
  ['X-Forwarded-For', '192.0.2.1'],
  ['X-Forwarded-Proto', 'http'],
  ['X-Forwarded-Host', 'api.test'],
  ['Forwarded', 'for=192.0.2.1;host="api.test";proto=http'],
  ['Via', '1.1 postern'],
  ['X-Request-Id', 'ours-1'],
];
test('the upstream of a bare request is told who it is, from whom and through whom, and nothing else', () => {
  expect(sent([])).toEqual([...hop, ...identity]);
});

test('what a client may say passes in its order and spelling, repeats included', () => {
  const client: Fields = [
    ['Accept', '*/*'],
    ['x-CUSTOM', 'a'],
    ['X-Custom', 'b'],
    ['Cookie', 'a=1'],
    ['Content-Type', 'x/y'],
  ];
  expect(sent(client, '/user', 5)).toEqual([
    hop[0],
    ...client,
    ...hop.slice(1),
    ...identity,
    ['Content-Length', '5'],
  ]);
});

describe('H1 H2 H3 H4 an identity field', () => {
  const names = [...identity, ['X-Postern-Whatever', ''] as const, ['Remote-User', ''] as const];

  test.each(names)(
    '%s is ours exactly once, in 9 spellings, doubled and named by Connection',
    (name, value) => {
      const ours = value === '' ? [] : [value];
      expect(new Set(spellings.map((spell) => spell(name))).size).toBe(9);
      for (const spell of spellings) {
        const spelled = spell(name);
        const forged: Fields = [
          [spelled, 'forged'],
          [spelled, 'forged, again'],
        ];
        const nominated: Fields = [
          ['Connection', `close, ${spelled}`],
          ['Connection', `${name},keep-alive`],
        ];
        for (const client of [forged, nominated, [...nominated, ...forged], [...forged, ...nominated]]) {
          for (const path of ['/user', '/pass', '/strip'] as const) {
            const upstream = sent(client, path);
            const expected = path === '/user' ? ours : name === 'X-Row' ? [`main GET ${path}`] : [];
            expect([spelled, path, under(upstream, name)]).toEqual([spelled, path, expected]);
            expect(JSON.stringify(upstream)).not.toContain('forged');
          }
        }
      }
    },
  );

  test("in a mix of marks is still nobody else's", () => {
    for (const name of [
      'X_Postern-Token_Id',
      'x.postern_scopes',
      'X-Postern+',
      'X^Org',
      'REMOTE!USER',
      'x-postern-\u00e9',
    ]) {
      expect(sent([[name, 'forged']])).toEqual([...hop, ...identity]);
    }
  });
});

test('H5 on a public row no client says who it is, and nobody is told', () => {
  const client = identity.map(([name]) => [name, 'forged'] as const);
  expect(sent(client, '/pass')).toEqual([...hop, ['X-Row', 'main GET /pass']]);
});

test('H3 H6 fields of this hop stop here, with everything Connection names', () => {
  const stopped: Fields = [
    ['Connection', 'keep-alive, X-Mine'],
    ...[
      'Keep-Alive',
      'Proxy-Connection',
      'TE',
      'Trailer',
      'Transfer-Encoding',
      'Upgrade',
      'HTTP2-Settings',
      'Expect',
    ].map((name) => [name, 'x'] as const),
    ...['Proxy-Authorization', 'Proxy-Authenticate', 'Content-Length', 'x-mine', 'X-MINE'].map(
      (name) => [name, 'x'] as const,
    ),
  ];
  expect(sent(stopped)).toEqual([...hop, ...identity]);
});

test("H7 the client's address is the socket's, whatever the client says", () => {
  const claims = [
    'X-Forwarded-For',
    'x-forwarded-for',
    'X_Forwarded_For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
  ];
  const more = [
    'X-Forwarded-Port',
    'X-Forwarded-Anything',
    'Forwarded',
    'X-Real-IP',
    'True-Client-IP',
    'X-Client-IP',
    'X-Cluster-Client-IP',
  ];
  expect(sent([...claims, ...more].map((name) => [name, '127.0.0.1']))).toEqual([...hop, ...identity]);
});

test('H9 P17 nothing that would make the upstream act on another path, method or host passes', () => {
  const overrides = [
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'X-Original-URL',
    'X-Rewrite-URL',
  ];
  const more = [
    'X-Original-URI',
    'X-Original-Method',
    'X-Original-Host',
    'X-Override-URL',
    'X-Host',
    'x_http_method_override',
  ];
  expect(sent([...overrides, ...more].map((name) => [name, 'DELETE']))).toEqual([...hop, ...identity]);
});

test('H11 H12 names that are no plain word are dropped, and names of objects are only text', () => {
  for (const name of [
    '',
    ' ',
    'a b',
    'a_b',
    'a.b',
    'a:b',
    'é',
    '__proto__',
    'a\0',
    '"a"',
    'X-Postern-\u0130d',
  ]) {
    expect(sent([[name, 'x']])).toEqual([...hop, ...identity]);
  }
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
    expect(under(sent([[name, 'x']]), name)).toEqual(['x']);
  }
});

describe('a credential', () => {
  const client: Fields = [
    ['Authorization', `Bearer ${goodToken}`],
    ['x-user-token', goodToken],
    ['X-Device', goodToken],
    ['Cookie', `a=1; session=${goodToken}`],
    ['cookie', `session=${goodToken}`],
  ];

  test.each([
    ['/user', ['a=1']],
    ['/strip', []],
  ] as const)('never reaches the upstream of %s, with cookies %j left', (path, cookies) => {
    const upstream = sent(client, path);
    expect(JSON.stringify(upstream)).not.toContain(goodToken);
    expect(under(upstream, 'cookie')).toEqual(cookies);
  });

  test("passes on a public row that does not strip: it may be the upstream's own", () => {
    expect(sent(client, '/pass').slice(1, 6)).toEqual(client);
  });
});
