/** Identity on the wire: what the upstream is told about the caller is ours, once, whatever the caller says. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask, converse, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../fixtures/raw-upstream.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { type Seen, startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let gateway: GatewayFixture;
let upstream: UpstreamFixture;
let raw: RawUpstream;
let token: { id: string; token: string };

beforeAll(async () => {
  [upstream, raw] = await Promise.all([startUpstream(), startRawUpstream()]);
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} }, raw: { url: ${raw.url} } }
token_types: { item: { prefix: it_, grantable: [read, write], attributes: { tenant: required, team: optional } } }
scopes: { read: Read, write: Write }
identity:
  reserve: [X-Postern-*, X-Verified]
  headers:
    X-Postern-Token-Id: token.id
    X-Postern-Token-Type: token.type
    X-Postern-Scopes: token.scopes
    X-Auth-User: token.attribute.tenant
    Team: token.attribute.team
apis:
  main:
    to: app
    routes:
      GET /open: { allow: public }
      POST /open: { allow: public }
      GET /items: { allow: { item: read } }
      POST /items: { allow: { item: read } }
      GET /raw: { to: raw, allow: public }
`);
  token = await gateway.mint('item', { scopes: ['write', 'read'], attributes: { tenant: 'acme' } });
});

afterAll(async () => {
  await gateway.stop();
  await Promise.all([upstream.stop(), raw.stop()]);
});

beforeEach(() => {
  upstream.seen.length = 0;
});

const reserved = [
  ...['X-Postern-Token-Id', 'X-Postern-Token-Type', 'X-Postern-Scopes', 'X-Auth-User', 'Team'],
  ...['X-Verified', 'X-Postern-Anything', 'X-Postern-'],
];

/** Every spelling some upstream takes for the name: case, and each other byte where it may stand. */
function spellings(name: string): string[] {
  const joined = [..."_.+~^!|'`#$%&*"].map((byte) => name.replaceAll('-', byte));
  const mixed = [name.replace('-', '_'), name.replace(/-(?=[^-]*$)/, '_'), name.replace('-', '.')];
  return [...new Set([name, name.toLowerCase(), name.toUpperCase(), ...joined, ...mixed])];
}

const fold = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '-');

/** What an upstream that folds every name could take for identity. */
function identityOf({ rawHeaders }: Seen): [name: string, value: string][] {
  const folded = reserved.map(fold);
  const found: [string, string][] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const isOurs = folded.includes(fold(name)) || fold(name).startsWith('x-postern-');
    if (isOurs) found.push([name, rawHeaders[i + 1] ?? '']);
  }
  return found.sort();
}

/** Lists what the caller may try: the name alone, twice, around ours, nominated by Connection. */
const attempts: readonly (readonly [string, (name: string) => string[]])[] = [
  ['once', (name) => [`${name}: forged`]],
  ['empty', (name) => [`${name}:`]],
  ['twice', (name) => [`${name}: forged`, `${name}: forged, too`]],
  ['nominated', (name) => [`${name}: forged`, `Connection: close, ${name}`]],
  [
    'nominated before and by another field',
    (name) => [`Connection: ${name}`, 'Connection: close', `${name}: forged`],
  ],
];

const names = reserved.flatMap(spellings);

describe.each(attempts)('sent %s', (_how, linesOf) => {
  test('no spelling of a reserved name changes what a token row tells the upstream', async () => {
    const bearer = `Authorization: Bearer ${token.token}`;
    const own = [
      ['X-Auth-User', 'acme'],
      ['X-Postern-Scopes', 'write read'],
      ['X-Postern-Token-Id', token.id],
      ['X-Postern-Token-Type', 'item'],
    ];
    await Promise.all(
      names.map((name) => ask(gateway.port, requestBytes('GET /items', [bearer, ...linesOf(name)]))),
    );
    const told = new Set(upstream.seen.map((one) => JSON.stringify(identityOf(one))));
    expect([...told].map((one) => JSON.parse(one))).toEqual([own]);
    expect(upstream.seen.length).toBe(names.length);
    expect(JSON.stringify(upstream.seen.map(({ rawHeaders }) => rawHeaders))).not.toContain('forged');
  });

  test('a public row tells the upstream nothing', async () => {
    await Promise.all(names.map((name) => ask(gateway.port, requestBytes('GET /open', linesOf(name)))));
    expect(upstream.seen.length).toBe(names.length);
    expect(upstream.seen.flatMap(identityOf)).toEqual([]);
  });
});

test('identity in request trailers ends at the gate', async () => {
  const body = '5\r\nhello\r\n0\r\nX-Postern-Token-Id: forged\r\nX_Auth_User: forged\r\n\r\n';
  const lines = ['Transfer-Encoding: chunked', 'TE: trailers', 'Trailer: X-Postern-Token-Id, X_Auth_User'];
  expect((await ask(gateway.port, requestBytes('POST /open', lines, body))).status).toBe(200);
  expect(upstream.seen.map(({ body }) => body)).toEqual(['hello']);
  expect(JSON.stringify(upstream.seen)).not.toMatch(/forged|trailer/i);
});

describe('who and where the caller is comes from the socket:', () => {
  const lines = [
    ...['X-Forwarded-For: 10.0.0.1', 'X-Forwarded-For: 127.0.0.1, 10.0.0.2', 'X-Forwarded-Proto: https'],
    ...[
      'X-Forwarded-Host: admin',
      'X-Forwarded-Port: 1',
      'X-Forwarded-Prefix: /admin',
      'X-Forwarded-User: root',
    ],
    ...[
      'X-Forwarded-Uri: /admin',
      'X-Forwarded-Method: DELETE',
      'X_Forwarded_For: 10.0.0.3',
      'X-Real-IP: 10.0.0.4',
    ],
    ...['True-Client-IP: 10.0.0.5', 'X-Client-IP: 10.0.0.6', 'X-Cluster-Client-IP: 10.0.0.7'],
    ...[
      'Forwarded: for=10.0.0.8;host=admin',
      'Forwarded: for="[::1]"',
      'X-Request-Id: mine',
      'X_Request_Id: mine',
    ],
  ];

  test('forwarding fields of the client are replaced, once each', async () => {
    const answer = await ask(gateway.port, requestBytes('GET /open', lines));
    const [seen] = upstream.seen;
    const told: [string, string][] = [];
    for (let i = 0; i < (seen?.rawHeaders.length ?? 0); i += 2) {
      const name = seen?.rawHeaders[i] ?? '';
      if (/forwarded|ip$|request.id/i.test(name)) told.push([name, seen?.rawHeaders[i + 1] ?? '']);
    }
    expect(told.sort()).toEqual([
      ['Forwarded', 'for=127.0.0.1;host="gate";proto=http'],
      ['X-Forwarded-For', '127.0.0.1'],
      ['X-Forwarded-Host', 'gate'],
      ['X-Forwarded-Proto', 'http'],
      ['X-Request-Id', answer.field('x-request-id')],
    ]);
  });

  test('fields that would steer the upstream to another path or method are removed', async () => {
    const steering = [
      ...['X-Original-URL', 'X-Original-URI', 'X-Rewrite-URL', 'X-Override-URL', 'X-Original-Method'],
      ...['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Original-Host', 'X-Host'],
      ...[
        'X_HTTP_METHOD_OVERRIDE',
        'X.Original.URL',
        'Proxy-Authorization',
        'Proxy-Connection',
        'TE',
        'Keep-Alive',
      ],
    ];
    await ask(
      gateway.port,
      requestBytes(
        'GET /open',
        steering.map((name) => `${name}: steered`),
      ),
    );
    expect(JSON.stringify(upstream.seen)).not.toContain('steered');
  });

  test('the upstream is called by its own name', async () => {
    await ask(gateway.port, requestBytes('GET /open', ['Host: admin.internal:81']));
    expect(upstream.seen[0]?.headers.host).toBe(upstream.url.slice('http://'.length));
  });

  test('no magic field opens a token row', async () => {
    const magic = [
      ...[
        'X-Middleware-Subrequest: middleware',
        'User-Agent: kube-probe/1.0',
        'X-Internal: 1',
        '__proto__: x',
      ],
      ...['constructor: x', 'X-Forwarded-Uri: /open', 'X-Original-URL: /open', 'X-Auth-Request-User: root'],
    ];
    expect((await ask(gateway.port, requestBytes('GET /items', magic))).status).toBe(401);
    expect(upstream.seen).toEqual([]);
  });
});

test('what else the client says passes as it is: names, values, order, repeats, bytes beyond ASCII', async () => {
  const lines = [
    'X-One: a',
    'x-TWO: \t b  c ',
    'X-One: \xe9\xff',
    'Cookie: a=1',
    'Cookie: b="2"',
    '__proto__: p',
  ];
  await ask(gateway.port, requestBytes('GET /open', lines));
  const seen = upstream.seen[0]?.rawHeaders ?? [];
  const at = seen.indexOf('X-One');
  expect(seen.slice(at, at + 10)).toEqual([
    ...['X-One', 'a', 'x-TWO', 'b  c', 'X-One', '\xe9\xff', 'Cookie', 'a=1', 'Cookie', 'b="2"'],
  ]);
  expect(seen.some((name) => name === '__proto__')).toBe(false);
});

describe('on the way back', () => {
  const answerWith = (lines: readonly string[]) => {
    raw.answer = (socket) =>
      socket.write(['HTTP/1.1 200 OK', 'Content-Length: 0', ...lines, '', ''].join('\r\n'));
  };

  test('reserved names are removed, in every spelling an answer can carry', async () => {
    for (const name of reserved.flatMap(spellings)) {
      answerWith([`${name}: leaked`, 'X-Other: passes']);
      const { answers } = await converse(gateway.port, requestBytes('GET /raw'));
      expect(answers.map(({ status, field }) => [status, field('x-other')])).toEqual([[200, 'passes']]);
      expect(JSON.stringify(answers)).not.toContain('leaked');
    }
  });

  test('hop-by-hop fields and what Connection names are removed, and the id is ours', async () => {
    answerWith([
      ...[
        'Connection: keep-alive, X-Hop',
        'X-Hop: leaked',
        'Keep-Alive: timeout=99',
        'Proxy-Authenticate: leaked',
      ],
      ...['Upgrade: leaked', 'Trailer: leaked', 'TE: leaked', 'X-Request-Id: leaked', 'X-Other: passes'],
    ]);
    const answer = await ask(gateway.port, requestBytes('GET /raw'));
    expect(JSON.stringify(answer)).not.toMatch(/leaked|timeout=99/);
    expect(answer.field('x-other')).toBe('passes');
    expect(answer.field('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('what else the upstream says passes as it is', async () => {
    const lines = [
      'Set-Cookie: a=%0d%0a; Path=/',
      'Set-Cookie: b="2"',
      'Server: app/1',
      'Location: http://169.254.169.254/',
    ];
    answerWith(lines);
    const answer = await ask(gateway.port, requestBytes('GET /raw'));
    expect(answer.fields.map(([name, value]) => `${name}: ${value}`)).toEqual(expect.arrayContaining(lines));
  });
});

test('after all of it the log holds no word of callers or upstreams, and no token', () => {
  expect(tracesOf(token.token, gateway.logText())).toEqual([]);
  expect(gateway.logText()).not.toMatch(/forged|leaked|steered|kube-probe|10\.0\.0|admin/);
});
