/** Refusals in the styles of their rows, over real sockets: as apis that came before Postern word them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask, flawsInRefusal, type ReadAnswer, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
let project: string;
let reader: string;

const config = (url: string) => `
upstreams:
  app: { url: ${url} }
  dead: { url: http://127.0.0.1:1 }
token_types:
  project: { prefix: pr_, scopes: [events:write], attributes: { tenant: optional } }
  member: { prefix: me_, grantable: [items:read, items:write], attributes: { tenant: optional } }
scopes: { events:write: Send events, items:read: Read items, items:write: Change items }
limits: { once: { rate: 1/1m, per: [token] } }
cors: { any: { origins: any, expose: [Retry-After] }, one: { origins: [https://site.example] } }
errors:
  worded:
    status: { type_not_allowed: 401 }
    body: { message: "{detail}" }
  coded:
    status: { type_not_allowed: 401 }
    codes: { invalid_token: invalid_member_token, credential_missing: invalid_member_token }
    body: { error: "{code}" }
    challenge: off
    for: { rate_limited: { body: { error: "{code}", retry_after_ms: "{retry_after_ms}" } } }
  batched:
    status: { type_not_allowed: 401 }
    body: { accepted: 0, rejected: "{count}", errors: { repeat: batch, item: { index: "{index}", reason: "{code}" } } }
  enveloped:
    status: { method_not_allowed: 400, upstream_unreachable: 503 }
    codes: { scope_missing: FORBIDDEN }
    body: { success: false, error: { code: "{code}", message: "{detail}", scopes: "{required_scopes}" } }
    content_type: application/json; charset=utf-8
apis:
  worded:
    to: app
    errors: worded
    routes:
      GET /worded: { allow: { member: items:read } }
      POST /worded: { allow: { member: items:write }, errors: off }
      GET /tenants/{tenant}: { allow: { member: any_scope }, bind: { tenant: { equals: token.attribute.tenant, else: 404 } } }
  coded:
    to: app
    errors: coded
    routes:
      GET /coded: { allow: { member: any_scope }, limits: [once], cors: any }
      GET /page: { allow: { member: any_scope }, cors: one }
  batched:
    to: app
    routes:
      POST /batch: { allow: { project: events:write }, errors: batched, body: { max: 8B } }
  enveloped:
    to: app
    errors: enveloped
    routes:
      GET /servers: { allow: { member: items:read } }
      POST /servers: { allow: { member: items:write } }
      GET /gone: { allow: public, to: dead }
`;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(config(upstream.url));
  project = (await gateway.mint('project')).token;
  reader = (await gateway.mint('member', { scopes: ['items:read'], attributes: { tenant: 'a' } })).token;
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});
beforeEach(() => {
  upstream.seen.length = 0;
});

async function refused(
  line: string,
  token: string | null,
  lines: readonly string[] = [],
): Promise<ReadAnswer> {
  const bearer = token === null ? [] : [`Authorization: Bearer ${token}`];
  const answer = await ask(gateway.port, requestBytes(line, [...bearer, ...lines]));
  expect(upstream.seen).toEqual([]);
  expect(answer.field('cache-control')).toBe('no-store');
  expect(answer.field('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  return answer;
}

const unknown = `me_${'x'.repeat(48)}`;
/** Everything but what differs from request to request. */
const essence = ({ status, fields, body, field }: ReadAnswer) =>
  JSON.stringify({ status, body, fields: fields.filter(([name]) => !/^date$/i.test(name)) }).replaceAll(
    field('x-request-id') ?? '',
    'ID',
  );

describe('a message alone', () => {
  test('is what a refusal says', async () => {
    const answer = await refused('GET /worded', null);
    expect([answer.status, answer.body]).toEqual([401, '{"message":"A token is required."}']);
    expect(answer.field('content-type')).toBe('application/json');
    expect(answer.field('www-authenticate')).toBe('Bearer realm="worded"');
  });

  test('does not tell a token of the wrong type from one that never was; the log does', async () => {
    const [wrong, bad] = [await refused('GET /worded', project), await refused('GET /worded', unknown)];
    expect(essence(wrong)).toBe(essence(bad));
    expect(wrong.body).toBe('{"message":"The token is not valid."}');
    const line = await gateway.account(wrong.field('x-request-id'));
    expect(line).toMatchObject({ status: 401, code: 'type_not_allowed' });
  });

  test('gives way to the default on a row that says off', async () => {
    const answer = await refused('POST /worded', project);
    expect(answer.status).toBe(403);
    expect(flawsInRefusal(answer)).toEqual([]);
  });

  test('is not in the 404 that hides a bind: nothing tells it from a path that is not there', async () => {
    const [hidden, nowhere] = [
      await refused('GET /tenants/b', reader),
      await refused('GET /nothing', reader),
    ];
    expect(essence(hidden)).toBe(essence(nowhere));
    expect(flawsInRefusal(hidden)).toEqual([]);
  });
});

describe('a code alone', () => {
  test('is one for every token that does not do, without a challenge', async () => {
    for (const token of [null, unknown, project, 'short']) {
      const answer = await refused('GET /coded', token);
      expect([answer.status, answer.body]).toEqual([401, '{"error":"invalid_member_token"}']);
      expect(answer.field('www-authenticate')).toBeNull();
    }
  });

  test('comes with the wait, which Retry-After says too, and with the fields of its row', async () => {
    const { token } = await gateway.mint('member');
    const lines = [`Authorization: Bearer ${token}`, 'Origin: https://a.example'];
    expect((await ask(gateway.port, requestBytes('GET /coded', lines))).status).toBe(200);
    upstream.seen.length = 0;
    const answer = await refused('GET /coded', null, lines);
    expect(answer.status).toBe(429);
    const { error, retry_after_ms: ms } = JSON.parse(answer.body);
    expect(error).toBe('rate_limited');
    expect(answer.field('retry-after')).toBe(String(Math.ceil(ms / 1000)));
    expect(answer.field('access-control-allow-origin')).toBe('https://a.example');
    expect(answer.field('ratelimit')).not.toBeNull();
  });

  test('is in the refusal of a preflight and of a method, where all rows of the path are worded so', async () => {
    const preflight = ['Origin: https://evil.example', 'Access-Control-Request-Method: GET'];
    const origin = await refused('OPTIONS /page', null, preflight);
    expect([origin.status, origin.body]).toEqual([403, '{"error":"cors_origin_not_allowed"}']);
    const method = await refused('DELETE /page', null);
    expect([method.status, method.body]).toEqual([405, '{"error":"method_not_allowed"}']);
    expect(method.field('allow')).toBe('GET, HEAD');
  });
});

describe('a batch', () => {
  test('that was not counted has one entry, numbered -1', async () => {
    for (const token of [null, unknown, reader]) {
      const answer = await refused('POST /batch', token);
      const reason = token === null ? 'credential_missing' : 'invalid_token';
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body)).toEqual({ accepted: 0, rejected: 0, errors: [{ index: -1, reason }] });
    }
    const large = await refused('POST /batch', project, ['Content-Length: 9']);
    expect([large.status, JSON.parse(large.body).errors]).toEqual([
      413,
      [{ index: -1, reason: 'body_too_large' }],
    ]);
  });
});

describe('an envelope', () => {
  test('holds the code, the words and the scopes that are asked for', async () => {
    const answer = await refused('POST /servers', reader);
    expect(answer.status).toBe(403);
    expect(answer.field('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.field('www-authenticate')).toContain('error="insufficient_scope", scope="items:write"');
    expect(JSON.parse(answer.body)).toEqual({
      success: false,
      error: { code: 'FORBIDDEN', message: 'The token lacks a scope.', scopes: ['items:write'] },
    });
  });

  test('holds faults too, with the status they are given there', async () => {
    const answer = await refused('GET /gone', null);
    expect([answer.status, answer.field('retry-after')]).toEqual([503, '1']);
    expect(JSON.parse(answer.body)).toMatchObject({
      success: false,
      error: { code: 'upstream_unreachable', scopes: null },
    });
  });

  test('gives a method that is not there the status it says, and keeps Allow', async () => {
    const answer = await refused('DELETE /servers', reader);
    expect([answer.status, answer.field('allow')]).toEqual([400, 'GET, HEAD, POST']);
  });
});

test('a path whose rows are not worded alike, and one that has none, are as the host is: it has no one style', async () => {
  const mixed = await refused('DELETE /worded', reader);
  expect([mixed.status, flawsInRefusal(mixed)]).toEqual([405, []]);
  const nowhere = await refused('GET /nothing', null);
  expect([nowhere.status, flawsInRefusal(nowhere)]).toEqual([404, []]);
});

test('HEAD gets the status and fields of the body it is not sent', async () => {
  const [head, get] = [await refused('HEAD /worded', null), await refused('GET /worded', null)];
  expect(head.status).toBe(401);
  expect(head.field('content-length')).toBe(get.field('content-length'));
});
