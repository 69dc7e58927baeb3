/** The live tail over the admin API: who may read it, what stands in it, and when it ends. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventsOf, type SentEvent } from '../../gateway/admin/tail-client.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';

const config = `
upstreams:
  app: { url: http://127.0.0.1:1 }
token_types:
  project: { prefix: prj_, scopes: [events:write], attributes: { project: required } }
  user: { prefix: usr_, grantable: [events:read, events:write] }
scopes: { events:read: Read events, events:write: Send events }
apis:
  main:
    to: app
    types: [user, project]
    routes:
      POST /events: { allow: { project: events:write } }
      GET /events: { allow: { user: events:read } }
      GET /own: { allow: { user: any_scope }, serve: token.list, with: { type: user } }
`;

let admin: AdminFixture;
beforeAll(async () => {
  admin = await startAdmin(config);
});
afterAll(() => admin.gateway.stop());

const open = new Set<ClientRequest>();
afterEach(async () => {
  for (const one of open) one.destroy();
  open.clear();
  await expect.poll(async () => (await read('')).status).toBe(200);
  for (const one of open) one.destroy();
  open.clear();
});

type Reader = {
  readonly status: number;
  readonly response: IncomingMessage;
  readonly events: AsyncGenerator<SentEvent>;
};

async function read(query: string, token?: string, from = admin): Promise<Reader> {
  const bearer = token ?? (await from.mint('tail:read')).token;
  const asking = request(`${from.url}/v1/tail${query}`, { headers: { Authorization: `Bearer ${bearer}` } });
  open.add(asking);
  asking.end();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    asking.once('response', resolve);
    asking.once('error', reject);
  });
  return { status: response.statusCode ?? 0, response, events: eventsOf(response) };
}

async function next({ events }: Reader): Promise<SentEvent> {
  const { value, done } = await events.next();
  if (done === true) throw new Error('it has ended');
  return value;
}

const decision = async (reader: Reader) => {
  const { event, data } = await next(reader);
  expect(event).toBe('decision');
  return JSON.parse(data);
};

const ask = (path: string, token: string | null, init: RequestInit = {}) =>
  fetch(`${admin.gateway.url}${path}`, {
    ...init,
    headers: { 'X-Canary': 'header-canary', ...(token === null ? {} : { Authorization: `Bearer ${token}` }) },
  });

/** Until the tail has ended, however that shows. */
async function ended({ events }: Reader): Promise<void> {
  try {
    while ((await events.next()).done !== true);
  } catch {
    // Cut.
  }
}

describe('a reader of the tail', () => {
  test('hears each decision as the access log has it, and nothing else of the request', async () => {
    const reader = await read('');
    expect([reader.status, reader.response.headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect(reader.response.headers['cache-control']).toBe('no-store');
    const { id, token } = await admin.gateway.mint('user', { scopes: ['events:write'] });
    const answer = await ask('/events?canary=query-canary', token);
    const told = await decision(reader);
    const { time: _time, ...line } = await admin.gateway.account(answer.headers.get('x-request-id'));
    expect(told).toEqual({
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      request_id: line.requestId,
      method: 'GET',
      row: 'main GET /events',
      status: 403,
      code: 'scope_missing',
      reason: line.reason,
      token_id: id,
      type: 'user',
      address: '127.0.0.1',
      duration_ms: line.durationMs,
      aborted: false,
      monitored: [],
    });
    await ask('/nothing', null);
    const wrong = `usr_${'w'.repeat(48)}`;
    await ask('/events', wrong);
    const rest = [await decision(reader), await decision(reader)];
    expect(rest).toMatchObject([
      { row: null, status: 404, code: 'route_not_found', token_id: null },
      { status: 401, code: 'token_unknown' },
    ]);
    const all = JSON.stringify([told, ...rest]);
    for (const secret of [token, wrong, token.slice(-12), 'canary']) expect(all).not.toContain(secret);
  });

  test('hears what it asked for: of a token, a row, a status, or only refusals', async () => {
    const one = await admin.gateway.mint('user', { scopes: ['events:read'] });
    const other = await admin.gateway.mint('user', { scopes: ['events:read'] });
    const readers = {
      token: await read(`?token=${one.id}`),
      row: await read('?row=main%20GET%20/own'),
      refusals: await read('?refusals=true'),
      class: await read('?status=2xx'),
      status: await read('?status=401&refusals=true'),
    };
    await ask('/own', other.token);
    await ask('/events', null);
    await ask('/own', one.token);
    const seen = async (reader: Reader) => {
      const { row, status, token_id: id } = await decision(reader);
      return [row, status, id];
    };
    expect(await seen(readers.token)).toEqual(['main GET /own', 200, one.id]);
    expect(await seen(readers.row)).toEqual(['main GET /own', 200, other.id]);
    expect(await seen(readers.row)).toEqual(['main GET /own', 200, one.id]);
    expect(await seen(readers.refusals)).toEqual(['main GET /events', 401, null]);
    expect(await seen(readers.class)).toEqual(['main GET /own', 200, other.id]);
    expect(await seen(readers.status)).toEqual(['main GET /events', 401, null]);
  });

  test.each([
    ['?token=tok_none', 404, 'record_not_found'],
    [`?token=usr_${'s'.repeat(48)}`, 404, 'record_not_found'],
    ['?row=main%20GET%20/nowhere', 404, 'record_not_found'],
    ['?refusals=yes', 400, 'payload_invalid'],
    ['?status=4x', 400, 'payload_invalid'],
    ['?status=600', 400, 'payload_invalid'],
    ['?since=24h', 400, 'payload_invalid'],
  ])('asks for what there is: %s', async (query, status, code) => {
    const answer = await admin.ask(`GET /v1/tail${query}`);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(answer.text).not.toContain('ssss');
  });

  test('needs the scope tail:read; usage:read is not enough', async () => {
    const { token } = await admin.mint('usage:read', 'tokens:read', 'audit:read');
    const { status, json } = await admin.ask('GET /v1/tail', { token });
    expect([status, json.code]).toEqual([403, 'scope_missing']);
    expect((await admin.ask('GET /v1/tail', { token: null })).status).toBe(401);
  });

  test('is one of eight; the ninth is told what to do, and comes in when one has gone', async () => {
    const readers = await Promise.all(Array.from({ length: 8 }, () => read('')));
    expect(readers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const { status, json, headers } = await admin.ask('GET /v1/tail');
    expect([status, json.code, headers.get('Retry-After')]).toEqual([503, 'tails_full', '1']);
    expect(json.hint).toContain('end one of the others');
    readers[0]?.response.destroy();
    await expect.poll(async () => (await read('')).status).toBe(200);
  });
});

describe('the tail ends', () => {
  test.each([
    ['revoked', (id: string) => admin.gateway.running.tokens.revoke(id, 'test', null)],
    ['disabled', (id: string) => admin.gateway.running.tokens.disable(id, 'test')],
    ['expired', (id: string) => admin.gateway.running.tokens.update(id, { expiresAt: 1 }, 'test')],
    [
      'left without tail:read',
      (id: string) => admin.gateway.running.tokens.update(id, { scopes: ['usage:read'] }, 'test'),
    ],
  ])('within a second of its admin token being %s, and no other’s does', async (_how, end) => {
    const { id, token } = await admin.mint('tail:read');
    const [doomed, spared] = [await read('', token), await read('')];
    await end(id);
    const from = performance.now();
    await ended(doomed);
    expect(performance.now() - from).toBeLessThan(1000);
    await ask('/nothing', null);
    expect((await decision(spared)).status).toBe(404);
  });

  test('when the gateway stops, after what is decided while it drains; and it says so', async () => {
    const drain = 'drain: { announce: 150ms, requests: 1s, streams: 1s }';
    const own = await startAdmin(
      config,
      `admin: { address: 127.0.0.1:0 }\nlisten: { address: 127.0.0.1:0, ${drain} }`,
    );
    onTestFinished(() => own.gateway.stop().catch(() => {}));
    const reader = await read('', undefined, own);
    const stopped = own.gateway.running.stop();
    expect((await fetch(`${own.gateway.url}/nothing`)).status).toBe(404);
    expect(await decision(reader)).toMatchObject({ status: 404 });
    expect(await next(reader)).toEqual({ event: 'end', data: '{"reason":"the gateway stops"}' });
    expect((await reader.events.next()).done).toBe(true);
    const from = performance.now();
    await stopped;
    expect(performance.now() - from).toBeLessThan(1500);
  });
});
