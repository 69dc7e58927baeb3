/** An upstream's success changes our pin before the caller hears of it; nothing else does, and a failure says so. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { eventually } from '../fixtures/process.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let gateway: GatewayFixture;
let upstream: UpstreamFixture;
let admin: { id: string; token: string };

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(`
upstreams: { api: { url: ${upstream.url} } }
token_types:
  admin: { prefix: adm_, scopes: [] }
  project: { prefix: prj_, scopes: [], attributes: { project: required } }
scopes: {}
pins:
  app: { kind: bundle_id, from: json:/app_id, belongs_to: attribute.project, when_missing: allow }
  web: { kind: bundle_id, from: json:/app_id, belongs_to: attribute.project, when_missing: allow }
apis:
  main:
    to: api
    routes:
      PATCH /projects/{id}:
        allow: { admin: any_scope }
        observe: { on: 2xx, pin: app, of: "{id}", from: json:/bundle_id }
      PUT /projects/{id}:
        allow: { admin: any_scope }
        observe:
          - { on: 2xx, pin: app, of: "{id}", from: json:/bundles/0/ios }
          - { on: 2xx, pin: web, of: "{id}", from: json:/bundles/1/web~1x }
      POST /projects/{id}: { allow: { admin: any_scope } }
`);
  admin = await gateway.mint('admin');
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.answer = null;
  upstream.seen.length = 0;
});

type Says = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown };

/** The upstream's answer to all that follows. */
function says({ status = 200, headers = {}, body = {} }: Says): void {
  const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  upstream.answer = (req: IncomingMessage, res: ServerResponse) => {
    req.resume();
    res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(bytes);
  };
}

let projects = 0;
const newProject = () => `prj_${projects++}`;
const keyOf = (project: string, pin = 'app') => ({ pin, subject: `project=${project}` });
const pinned = async (project: string, pin = 'app') => {
  return (await gateway.running.tokens.pins.read(keyOf(project, pin)))?.value ?? null;
};

function send(project: string, method = 'PATCH', token = admin.token) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return fetch(`${gateway.url}/projects/${project}`, { method, headers, body: '{}' });
}

async function auditOf(project: string) {
  const filter = { subject: `project=${project}`, after: null, limit: 100 };
  return (await gateway.running.tokens.audit.list(filter)).entries;
}

describe('a 2xx', () => {
  test('changes the pin before the caller hears of it, and passes as it came', async () => {
    const project = newProject();
    says({ status: 201, headers: { 'x-own': 'yes' }, body: { bundle_id: 'com.example.a', more: 'é' } });
    const answer = await send(project);
    expect(await pinned(project)).toBe('com.example.a');
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-own')).toBe('yes');
    expect(await answer.json()).toEqual({ bundle_id: 'com.example.a', more: 'é' });
    says({ body: { bundle_id: 'com.example.b' } });
    await send(project);
    expect(await gateway.running.tokens.pins.read(keyOf(project))).toMatchObject({
      value: 'com.example.b',
      pinnedBy: admin.id,
      version: 2,
    });
    expect(await auditOf(project)).toMatchObject([
      { action: 'pin.change', actor: admin.id, detail: { before: null, after: 'com.example.a' } },
      { action: 'pin.change', actor: admin.id, detail: { before: 'com.example.a', after: 'com.example.b' } },
    ]);
  });

  test.each([[null], ['']])('with %j at the pointer lets go', async (nothing) => {
    const project = newProject();
    await gateway.running.tokens.pins.pinFirst(keyOf(project), 'com.example.a', 'tok_1');
    says({ body: { bundle_id: nothing } });
    expect((await send(project)).status).toBe(200);
    expect(await pinned(project)).toBeNull();
  });

  test.each([[{}], [[]], ['"text"'], ['null'], [{ bundle: { bundle_id: 'x' } }]])(
    'without anything at the pointer changes nothing: %j',
    async (body) => {
      const project = newProject();
      await gateway.running.tokens.pins.pinFirst(keyOf(project), 'com.example.a', 'tok_1');
      says({ body });
      expect((await send(project)).status).toBe(200);
      expect(await pinned(project)).toBe('com.example.a');
      expect(await auditOf(project)).toHaveLength(1);
    },
  );

  test('changes several pins where the row observes several', async () => {
    const project = newProject();
    says({ body: { bundles: [{ ios: 'com.example.ios' }, { 'web/x': 'com.example.web' }] } });
    expect((await send(project, 'PUT')).status).toBe(200);
    expect([await pinned(project, 'app'), await pinned(project, 'web')]).toEqual([
      'com.example.ios',
      'com.example.web',
    ]);
  });

  test('changes none of several where one cannot be read', async () => {
    const project = newProject();
    says({ body: { bundles: [{ ios: 'com.example.ios' }, { 'web/x': 7 }] } });
    expect((await send(project, 'PUT')).status).toBe(502);
    expect([await pinned(project, 'app'), await pinned(project, 'web')]).toEqual([null, null]);
  });

  test('sent in chunks is read whole', async () => {
    const project = newProject();
    const text = JSON.stringify({ filler: 'x'.repeat(200_000), bundle_id: 'com.example.é' });
    upstream.answer = async (req, res) => {
      req.resume();
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += 50_001) res.write(bytes.subarray(at, at + 50_001));
      res.end();
    };
    const answer = await send(project);
    expect(await answer.text()).toBe(text);
    expect(await pinned(project)).toBe('com.example.é');
  });

  test('is asked for without a content coding, and the request is otherwise as it was', async () => {
    await send(newProject());
    expect(upstream.seen[0]?.headers['accept-encoding']).toBe('identity');
    await send(newProject(), 'POST');
    expect(upstream.seen[1]?.headers['accept-encoding']).toContain('gzip');
  });

  test('on a row that does not observe changes nothing', async () => {
    const project = newProject();
    says({ body: { bundle_id: 'com.example.a' } });
    expect((await send(project, 'POST')).status).toBe(200);
    expect(await pinned(project)).toBeNull();
  });

  test('that its caller did not wait for changes the pin all the same', async () => {
    const project = newProject();
    const arrived = Promise.withResolvers<ServerResponse>();
    upstream.answer = (req, res) => req.resume().on('end', () => arrived.resolve(res));
    const socket = connect(gateway.port, '127.0.0.1');
    const head = `PATCH /projects/${project} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${admin.token}\r\n`;
    socket.write(`${head}Content-Length: 2\r\n\r\n{}`);
    const res = await arrived.promise;
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    res.writeHead(200).write('{"bundle_id":');
    res.end('"com.example.a"}');
    await eventually('the pin is changed', async () => (await pinned(project)) === 'com.example.a');
    await eventually('nobody is being served', async () => gateway.running.life.inFlight === 0);
  });
});

describe('an answer that is no 2xx', () => {
  test.each([[301], [400], [404], [422], [500]])('%i passes at once and changes nothing', async (status) => {
    const project = newProject();
    says({ status, body: { bundle_id: 'com.example.a' } });
    const headers = { authorization: `Bearer ${admin.token}` };
    const url = `${gateway.url}/projects/${project}`;
    const answer = await fetch(url, { method: 'PATCH', headers, redirect: 'manual' });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({ bundle_id: 'com.example.a' });
    expect(await pinned(project)).toBeNull();
    expect(await auditOf(project)).toEqual([]);
  });

  test('nor does a request we refuse', async () => {
    const project = newProject();
    says({ body: { bundle_id: 'com.example.a' } });
    const other = await gateway.mint('project', { attributes: { project } });
    expect((await send(project, 'PATCH', other.token)).status).toBe(403);
    expect((await send(project, 'PATCH', 'adm_aaaaaaaaaaaaaaaaaaaaaaaaaaa')).status).toBe(401);
    expect(await pinned(project)).toBeNull();
  });
});

describe('a 2xx that cannot be read is 502, with nothing of it relayed and a row in the audit', () => {
  const secret = { 'x-upstream': 'seen' };
  const good = JSON.stringify({ bundle_id: 'com.example.new' });
  test.each<[string, Says]>([
    ['gzip', { headers: { ...secret, 'content-encoding': 'gzip' }, body: gzipSync(good) }],
    ['two codings', { headers: { ...secret, 'content-encoding': 'identity, br' }, body: good }],
    ['over 1 MiB', { headers: secret, body: { pad: 'x'.repeat(1024 * 1024), bundle_id: 'com.example.new' } }],
    ['no JSON', { headers: secret, body: '<html>' }],
    ['more than one JSON text', { headers: secret, body: `${good}${good}` }],
    ['a byte order mark', { headers: secret, body: `\ufeff${good}` }],
    ['bad UTF-8', { headers: secret, body: Buffer.from('{"bundle_id":"\xff"}', 'latin1') }],
    ['no body', { headers: secret, body: '' }],
    ['204', { headers: secret, status: 204, body: '' }],
    ['its key twice', { headers: secret, body: '{"bundle_id":"a","bundle_id":"b"}' }],
    ['its key in another case', { headers: secret, body: { Bundle_id: 'x' } }],
    ['a number', { headers: secret, body: { bundle_id: 7 } }],
    ['an object', { headers: secret, body: { bundle_id: {} } }],
    ['a control character', { headers: secret, body: { bundle_id: 'a\u0000b' } }],
    ['half a character', { headers: secret, body: '{"bundle_id":"\\ud800"}' }],
    ['a value without end', { headers: secret, body: { bundle_id: 'x'.repeat(1001) } }],
  ])('%s', async (_, answer) => {
    const project = newProject();
    await gateway.running.tokens.pins.pinFirst(keyOf(project), 'com.example.old', 'tok_1');
    says(answer);
    const got = await send(project);
    expect(got.status).toBe(502);
    expect(got.headers.get('x-upstream')).toBeNull();
    expect(await got.json()).toMatchObject({ code: 'upstream_protocol_error' });
    expect(await pinned(project)).toBe('com.example.old');
    await eventually('it is in the audit', async () => (await auditOf(project)).length === 2);
    expect((await auditOf(project))[1]).toMatchObject({
      action: 'pin.observe_failed',
      actor: admin.id,
      detail: { pin: 'app', route: 'main PATCH /projects/{id}' },
    });
  });

  test('broken off in the middle', async () => {
    const project = newProject();
    upstream.answer = (req, res) => {
      req.resume();
      res.writeHead(200, { 'content-length': 1000 });
      res.write(good, () => res.destroy());
    };
    const got = await send(project);
    expect(got.status).toBe(502);
    expect(await pinned(project)).toBeNull();
    await eventually('it is in the audit', async () => (await auditOf(project)).length === 1);
  });
});

test('a change that cannot be committed is 503, and nothing of the answer is relayed', async () => {
  const project = newProject();
  says({ headers: { 'x-upstream': 'seen' }, body: { bundle_id: 'com.example.a' } });
  const other = new Database(`${gateway.folder}/data/postern.db`);
  other.exec('begin immediate');
  const answer = await send(project);
  const text = await answer.text();
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(answer.headers.get('x-upstream')).toBeNull();
  expect(JSON.parse(text)).toMatchObject({ code: 'store_unavailable' });
  expect(text).not.toContain('com.example');
  expect(await pinned(project)).toBeNull();
  other.close();
  await eventually('it is in the audit', async () => (await auditOf(project)).length === 1);
  expect((await send(project)).status).toBe(200);
  expect(await pinned(project)).toBe('com.example.a');
}, 10_000);
