/** An upstream keeps the login and the projects: what it makes can be used here at once, what it ends no longer. */
import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../policy/token-types.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { eventually } from '../fixtures/process.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let gateway: GatewayFixture;
let upstream: UpstreamFixture;

const client = '{ from: header:X-Client, default: mobile }';
const config = (url: string) => `
upstreams: { api: { url: ${url} } }
token_types:
  user: { format: id_pipe_random, scopes: [], attributes: { user: required, client: optional } }
  project: { prefix: prj_live_, hash: { use: bcrypt, cost: 4, lookup_chars: 12, then: sha256 }, scopes: [], attributes: { project: required } }
  chosen: { prefix: cho_, grantable: [a, b], attributes: { project: required, by: optional } }
  session: { sources: [cookie:sid], csrf: { header: X-Csrf, equals: token.attribute.csrf }, scopes: [], attributes: { user: required, csrf: required } }
  partner: { prefix: par_, verify: upstream }
scopes: { a: One, b: Two }
apis:
  main:
    to: api
    routes:
      GET /me: { allow: { user: any_scope, project: any_scope, session: any_scope, chosen: any_scope } }
      POST /auth/login:
        allow: public
        observe:
          on: 2xx
          token: { type: user, from: json:/token, attributes: { user: json:/user/id, client: ${client} }, label: json:/user/name, instead_of: [user, client] }
      POST /auth/verify:
        allow: public
        observe: { on: 2xx, token: { type: session, from: set-cookie:sid, attributes: { user: json:/user/id, csrf: json:/csrf } , expires_in: 7d } }
      POST /auth/reset:
        allow: public
        observe: { on: 2xx, end: { type: user, attributes: { user: json:/user/id } } }
      POST /auth/logout: { allow: { user: any_scope }, observe: { on: 2xx, end: caller } }
      POST /auth/refresh:
        allow: { user: any_scope }
        observe:
          - { on: 2xx, token: { type: user, from: json:/token, attributes: { user: token.attribute.user } } }
          - { on: 2xx, end: caller }
      POST /projects: { allow: { user: any_scope }, observe: { on: 2xx, token: { type: project, from: json:/token, attributes: { project: json:/id } } } }
      POST /projects/{project}/keys: { allow: { user: any_scope, partner: any_scope }, observe: { on: 2xx, token: { type: chosen, from: json:/key, scopes: [a], attributes: { project: "{project}", by: partner } } } }
      DELETE /projects/{project}:
        allow: { user: any_scope, project: any_scope }
        observe:
          - { on: 2xx, end: { type: project, attributes: { project: "{project}" } } }
          - { on: 2xx, end: { type: chosen, attributes: { project: "{project}" } } }
`;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(config(upstream.url));
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.answer = null;
  upstream.seen.length = 0;
});

type Says = {
  readonly status?: number;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: unknown;
};

function says({ status = 200, headers = {}, body = {} }: Says): void {
  const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  upstream.answer = (req: IncomingMessage, res: ServerResponse) => {
    req.resume();
    res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(bytes);
  };
}

let serial = 0;
/** As an upstream would make them: each used once. */
const next = () => {
  serial++;
  const filler = String(serial).padStart(40, 'a');
  return {
    user: `usr_${serial}`,
    project: `prj_${serial}`,
    token: `${serial}|${filler}`,
    live: `prj_live_${filler}`,
  };
};

type Sending = { readonly token?: string; readonly headers?: Record<string, string>; readonly on?: string };

function send(method: string, path: string, { token, headers = {}, on = gateway.url }: Sending = {}) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return fetch(`${on}${path}`, { method, headers: { ...authorization, ...headers } });
}

/** The status of a request with the token, when the upstream has nothing against it. */
async function use(token: string, on = gateway.url): Promise<number> {
  says({});
  return (await send('GET', '/me', { token, on })).status;
}

async function login(user: string, token: string, headers: Record<string, string> = {}) {
  says({ body: { user: { id: user, name: 'Ada' }, token } });
  return send('POST', '/auth/login', { headers });
}

async function loggedIn(headers: Record<string, string> = {}) {
  const { user, token } = next();
  expect((await login(user, token, headers)).status).toBe(200);
  return { user, token };
}

async function tokensOf(type: string, attributes: Record<string, AttributeValue>) {
  const filter = { type, attributes: new Map(Object.entries(attributes)), limit: 100 };
  return (await gateway.running.tokens.list(filter)).tokens;
}

async function auditOf(subject: string) {
  const { entries } = await gateway.running.tokens.audit.list({ subject, after: null, limit: 1000 });
  return entries;
}

describe('a login of the upstream', () => {
  test('gives a token that works on the very next request, and passes as it came', async () => {
    const { user, token } = next();
    expect(await use(token)).toBe(401);
    const body = { user: { id: user, name: 'Ada' }, token };
    says({ status: 201, headers: { 'x-own': 'yes' }, body });
    const answer = await send('POST', '/auth/login');
    expect([answer.status, answer.headers.get('x-own')]).toEqual([201, 'yes']);
    expect(await answer.json()).toEqual(body);
    expect(await use(token)).toBe(200);
    const [record, ...more] = await tokensOf('user', { user });
    expect(more).toEqual([]);
    expect(record).toMatchObject({
      label: 'Ada',
      externalId: token.split('|')[0],
      attributes: new Map([
        ['user', user],
        ['client', 'mobile'],
      ]),
      createdBy: 'upstream',
    });
    expect(await auditOf(record?.id ?? '')).toMatchObject([
      { action: 'token.learn', actor: 'upstream', detail: { type: 'user', label: 'Ada' } },
    ]);
  });

  test('that wants a second factor first gives none', async () => {
    const { token } = next();
    const body = { requires_totp: true, totp_token: 'totp_abcdefghijklmnop' };
    says({ body });
    const answer = await send('POST', '/auth/login');
    expect([answer.status, await answer.json()]).toEqual([200, body]);
    expect(await use('totp_abcdefghijklmnop')).toBe(401);
    expect(await use(token)).toBe(401);
  });

  test('that is refused gives none, whatever the answer holds', async () => {
    const { user, token } = next();
    for (const status of [301, 401, 422, 500]) {
      says({ status, body: { user: { id: user }, token } });
      const answer = await fetch(`${gateway.url}/auth/login`, { method: 'POST', redirect: 'manual' });
      expect(answer.status).toBe(status);
    }
    expect(await use(token)).toBe(401);
  });

  test('ends the one before of the same client, and of no other', async () => {
    const mobile = await loggedIn();
    const { user } = mobile;
    const [cli, cliToo] = [next(), next()];
    await login(user, cli.token, { 'x-client': 'cli' });
    expect([await use(mobile.token), await use(cli.token)]).toEqual([200, 200]);
    await login(user, cliToo.token, { 'x-client': 'cli' });
    expect(await Promise.all([mobile.token, cli.token, cliToo.token].map((one) => use(one)))).toEqual([
      200, 401, 200,
    ]);
    const other = await loggedIn({ 'x-client': 'cli' });
    expect([await use(cliToo.token), await use(other.token)]).toEqual([200, 200]);
  });

  test('is that of no client that the upstream was not told of', async () => {
    const { user } = await loggedIn({ 'x-client': 'cli' });
    const { token } = next();
    says({ body: { user: { id: user, name: 'Ada' }, token } });
    const headers = { 'x-client': 'cli', connection: 'close, x-client' };
    const asking = request(`${gateway.url}/auth/login`, { method: 'POST', headers }).end();
    const [answer]: IncomingMessage[] = await once(asking, 'response');
    answer?.resume();
    expect(answer?.statusCode).toBe(200);
    const clients = (await tokensOf('user', { user })).map(({ attributes }) => attributes.get('client'));
    expect(clients).toEqual(['cli', 'mobile']);
  });

  test('that is answered twice with the same token changes nothing the second time', async () => {
    const { user, token } = await loggedIn();
    const [before] = await tokensOf('user', { user });
    expect((await login(user, token)).status).toBe(200);
    expect((await login('usr_other', token, { 'x-client': 'cli' })).status).toBe(200);
    const [after, ...more] = await tokensOf('user', { user });
    expect(after).toMatchObject({ ...before, lastUsedAt: after?.lastUsedAt });
    expect([more, await tokensOf('user', { user: 'usr_other' })]).toEqual([[], []]);
    await gateway.running.tokens.revoke(before?.id ?? '', 'op', null);
    expect((await login(user, token)).status).toBe(200);
    expect(await use(token)).toBe(401);
  });

  test('by a cookie is learned from the field that sets it', async () => {
    const { user } = next();
    const sid = `sid${String(serial).padStart(40, 'b')}`;
    says({
      headers: { 'set-cookie': [`sid=${sid}; HttpOnly; Path=/`, 'other=x'] },
      body: { user: { id: user }, csrf: 'c-1' },
    });
    expect((await send('POST', '/auth/verify')).status).toBe(200);
    says({});
    expect((await send('GET', '/me', { headers: { cookie: `sid=${sid}` } })).status).toBe(200);
    const [record] = await tokensOf('session', { user });
    const lifeMs = (record?.expiresAt ?? 0) - (record?.createdAt ?? 0);
    expect(Math.round(lifeMs / 1000)).toBe(7 * 86_400);
  });
});

describe('what the upstream gives for a token and is none is 502, and nothing of it goes out', () => {
  const { user } = next();
  test.each<[string, string | number | object, number?]>([
    ['too short', '1|short'],
    ['without an id', 'a'.repeat(40)],
    ['of another type', `prj_live_${'a'.repeat(40)}`],
    ['with a byte no token has', `1|${'a'.repeat(40)} b`],
    ['too long', `1|${'a'.repeat(600)}`],
    ['far too long', `1|${'a'.repeat(9000)}`],
    ['a number', 12_345_678_901_234],
    ['an object', { value: `1|${'a'.repeat(40)}` }],
  ])('%s', async (_, token) => {
    const before = gateway.logText().length;
    says({ headers: { 'x-upstream': 'seen' }, body: { user: { id: user }, token } });
    const answer = await send('POST', '/auth/login');
    const text = await answer.text();
    expect([answer.status, answer.headers.get('x-upstream')]).toEqual([502, null]);
    expect(JSON.parse(text)).toMatchObject({ code: 'upstream_protocol_error' });
    const requestId = answer.headers.get('x-request-id');
    await gateway.account(requestId);
    for (const said of [text, gateway.logText().slice(before)])
      expect(said).not.toMatch(/aaaa|short|12345678901/);
    await eventually('it is in the audit', async () =>
      (await auditOf('type=user')).some(({ detail }) => detail.request === requestId),
    );
    const entry = (await auditOf('type=user')).find(({ detail }) => detail.request === requestId);
    expect(entry).toMatchObject({
      action: 'token.observe_failed',
      actor: 'upstream',
      detail: { entry: 'token', route: 'main POST /auth/login' },
    });
    expect(JSON.stringify(entry)).not.toMatch(/aaaa|short|12345678901/);
    expect(await tokensOf('user', { user })).toEqual([]);
  });

  test.each<[string, Says]>([
    ['no body', { status: 204, body: '' }],
    ['no user', { body: { token: `1|${'a'.repeat(40)}` } }],
    ['a user twice', { body: `{"user":{"id":"a"},"user":{"id":"b"},"token":"1|${'a'.repeat(40)}"}` }],
    ['a content coding', { headers: { 'content-encoding': 'gzip' }, body: gzipSync('{}') }],
  ])('nor can an answer be read with %s', async (_, answer) => {
    says(answer);
    expect((await send('POST', '/auth/login')).status).toBe(502);
    expect(await use(`1|${'a'.repeat(40)}`)).toBe(401);
  });

  test('nor is a token whose id another has already', async () => {
    const one = await loggedIn();
    const [id] = one.token.split('|');
    const other = `${id}|${'z'.repeat(40)}`;
    expect((await login(one.user, other)).status).toBe(502);
    expect([await use(one.token), await use(other)]).toEqual([200, 401]);
  });
});

test('a login that cannot be written is 503, the token does not go out, and none is ended for it', async () => {
  const { user, token } = await loggedIn();
  const other = next().token;
  const lock = new Database(`${gateway.folder}/data/postern.db`);
  lock.exec('begin immediate');
  const answer = await login(user, other);
  const text = await answer.text();
  expect(answer.status).toBe(503);
  expect(text).not.toContain(other.slice(-40));
  lock.close();
  expect([await use(token), await use(other)]).toEqual([200, 401]);
  expect((await login(user, other)).status).toBe(200);
  expect([await use(token), await use(other)]).toEqual([401, 200]);
}, 10_000);

describe('a logout of the upstream', () => {
  test.each<[string, Says]>([
    ['204', { status: 204, body: '' }],
    ['a text', { body: 'bye' }],
    ['gzip', { headers: { 'content-encoding': 'gzip' }, body: gzipSync('bye') }],
  ])('of %s ends the token that asked, and no other of its owner', async (_, answer) => {
    const { user, token } = await loggedIn();
    const cli = next().token;
    await login(user, cli, { 'x-client': 'cli' });
    says(answer);
    const got = await send('POST', '/auth/logout', { token, headers: { 'accept-encoding': 'gzip' } });
    expect(got.status).toBe(answer.status ?? 200);
    expect(got.headers.get('content-encoding')).toBe(answer.headers?.['content-encoding'] ?? null);
    expect(await got.text()).toBe(answer.status === 204 ? '' : 'bye');
    expect([await use(token), await use(cli)]).toEqual([401, 200]);
    const record = (await tokensOf('user', { user })).find(({ revokedAt }) => revokedAt !== null);
    expect(record).toMatchObject({
      revokedBy: record?.id,
      revokedReason: `observed, request ${got.headers.get('x-request-id')}`,
    });
    expect((await auditOf(record?.id ?? '')).map(({ action }) => action)).toEqual([
      'token.learn',
      'token.revoke',
    ]);
    expect(await login(user, token)).toMatchObject({ status: 200 });
    expect(await use(token)).toBe(401);
  });

  test('that is refused ends nothing', async () => {
    const { token } = await loggedIn();
    says({ status: 500 });
    expect((await send('POST', '/auth/logout', { token })).status).toBe(500);
    expect(await use(token)).toBe(200);
  });

  test('whose answer breaks off, or that nobody waits for, ends the token all the same', async () => {
    const [one, other] = [await loggedIn(), await loggedIn()];
    upstream.answer = (req, res) => {
      req.resume();
      res.writeHead(200, { 'content-length': 1000 }).write('a', () => res.destroy());
    };
    expect((await send('POST', '/auth/logout', { token: one.token })).status).toBe(502);
    expect(await use(one.token)).toBe(401);
    const arrived = Promise.withResolvers<ServerResponse>();
    upstream.answer = (req, res) => req.resume().on('end', () => arrived.resolve(res));
    const socket = connect(gateway.port, '127.0.0.1');
    const head = `POST /auth/logout HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${other.token}\r\n`;
    socket.write(`${head}Content-Length: 2\r\n\r\n{}`);
    const res = await arrived.promise;
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    res.writeHead(204).end();
    await eventually('the token is ended', async () => (await use(other.token)) === 401);
  });

  test('ends an answer under way as every revoke does', async () => {
    const { token } = await loggedIn();
    const begun = Promise.withResolvers<ServerResponse>();
    upstream.answer = (_, res) => {
      res.writeHead(200).write('first', () => begun.resolve(res));
    };
    const stream = await send('GET', '/me', { token });
    await begun.promise;
    says({ status: 204, body: '' });
    expect((await send('POST', '/auth/logout', { token })).status).toBe(204);
    await expect(stream.text()).rejects.toThrow();
  });

  test('with a new token in its place ends the old one and brings the new', async () => {
    const { user, token } = await loggedIn();
    const renewed = next().token;
    says({ body: { token: renewed } });
    expect((await send('POST', '/auth/refresh', { token })).status).toBe(200);
    expect([await use(token), await use(renewed)]).toEqual([401, 200]);
    expect((await tokensOf('user', { user })).map(({ revokedAt }) => revokedAt === null)).toEqual([
      false,
      true,
    ]);
  });

  test('of all tokens of a person is that of the one whom the answer names', async () => {
    const [one, other] = [await loggedIn(), await loggedIn()];
    const cli = next().token;
    await login(one.user, cli, { 'x-client': 'cli' });
    says({ body: { user: { id: one.user } } });
    expect((await send('POST', '/auth/reset')).status).toBe(200);
    expect(await Promise.all([one.token, cli, other.token].map((token) => use(token)))).toEqual([
      401, 401, 200,
    ]);
    for (const body of [{}, { user: {} }, { user: { id: '' } }, { user: { id: null } }]) {
      says({ body });
      expect((await send('POST', '/auth/reset')).status).toBe(502);
    }
    expect(await use(other.token)).toBe(200);
  });
});

describe('a project of the upstream', () => {
  test('comes with a token, and goes with all of its tokens and no other’s', async () => {
    const owner = await loggedIn();
    const [a, b] = [next(), next()];
    for (const { project, live } of [a, b]) {
      says({ status: 201, body: { id: project, token: live } });
      expect((await send('POST', '/projects', owner)).status).toBe(201);
      expect(await use(live)).toBe(200);
    }
    const more = await gateway.mint('project', { attributes: { project: a.project } });
    const key = `cho_${a.live}`;
    says({ body: { key } });
    expect((await send('POST', `/projects/${a.project}/keys`, owner)).status).toBe(200);
    expect(await tokensOf('chosen', { project: a.project, by: 'partner' })).toMatchObject([
      { scopes: ['a'], label: 'chosen' },
    ]);
    says({ status: 204, body: '' });
    expect((await send('DELETE', `/projects/${a.project}`, owner)).status).toBe(204);
    expect(await Promise.all([a.live, more.token, key, b.live, owner.token].map((one) => use(one)))).toEqual([
      401, 401, 401, 200, 200,
    ]);
    const [record] = await tokensOf('project', { project: a.project });
    const [caller] = await tokensOf('user', { user: owner.user });
    expect((await auditOf(record?.id ?? '')).at(-1)).toMatchObject({
      action: 'token.revoke',
      actor: caller?.id,
    });
  });

  test('may be ended by one of its own tokens, which hears of it', async () => {
    const { project, live } = next();
    const { token } = await gateway.mint('project', { attributes: { project } });
    says({ status: 204, body: '' });
    expect((await send('DELETE', `/projects/${project}`, { token })).status).toBe(204);
    expect([await use(token), await use(live)]).toEqual([401, 401]);
  });

  test('whose name no token could have ends nothing, and says so', async () => {
    const owner = await loggedIn();
    says({ status: 204, body: '' });
    expect((await send('DELETE', `/projects/${encodeURIComponent('ü')}`, owner)).status).toBe(502);
  });

  test('may be given a token in the name of who is known to the upstream alone', async () => {
    const { project, live } = next();
    says({ body: { key: `cho_${live}` } });
    const answer = await send('POST', `/projects/${project}/keys`, { token: `par_${'p'.repeat(20)}` });
    expect(answer.status).toBe(200);
    expect(await use(`cho_${live}`)).toBe(200);
    expect(await tokensOf('chosen', { project })).toMatchObject([{ createdBy: 'upstream:partner' }]);
  });
});

test('no token is in the logs, the audit or the file as it is', async () => {
  const { user, token } = await loggedIn();
  const { live, project } = next();
  says({ body: { id: project, token: live } });
  await send('POST', '/projects', { token });
  expect([await use(token), await use(live)]).toEqual([200, 200]);
  await gateway.running.tokens.flush();
  const { entries } = await gateway.running.tokens.audit.list({ subject: null, after: null, limit: 1000 });
  const file = new Database(`${gateway.folder}/data/postern.db`, { readonly: true });
  const kept = JSON.stringify(file.prepare('select * from tokens').all());
  file.close();
  expect(kept).toContain(user);
  for (const text of [kept, JSON.stringify(entries), gateway.logText()]) {
    for (const secret of [token, live]) expect(text).not.toContain(secret.slice(-30));
  }
});
