/** Rows that switch probes on and off, over the wire: what is signed, who verifies it, how many there are, and what nobody learns. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { deriveTriggerKey, signTrigger } from '../../gateway/trigger.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const secret = 'gateway-test-secret';
/** The text of the public test vector, and the key that is derived for it. */
const own = '11111111-1111-4111-8111-111111111111';
const derived = 'cf0c1f0252c9809b60d912f3535b63ae06110ed97faecd44550ddf5519bcf6fa';
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
let caller = { id: '', token: '' };
let project = '';
let count = 0;

const yaml = (key = '{ env: PROBE_WIRE_KEY }') => `
upstreams: { app: { url: "${upstream.url}" } }
token_types:
  user: { prefix: usr_, scopes: [], attributes: { projects: list } }
  home: { prefix: hom_, scopes: [], attributes: { project: required } }
  sanctum: { prefix: san_, verify: upstream }
  probe: { prefix: probe_, format: signed, use: annotate, sources: [header:X-Probe-Trigger, query:_probe], key: ${key}, derive: ${own} }
scopes: {}
identity:
  headers:
    X-Postern-Probe-Id: annotation.probe.activation_id
    X-Postern-Probe-Label: annotation.probe.label_pattern
    X-Postern-Probe-Service: annotation.probe.service
    X-Postern-Probe-Environment: annotation.probe.environment
apis:
  main:
    to: app
    types: [user, home, sanctum, probe]
    routes:
      GET /open: { allow: public }
      POST /p/{project}/activate: { allow: { user: any_scope }, bind: { project: token.attribute.projects }, serve: probe.activate, with: { type: probe, derive: "{project}" } }
      GET /p/{project}: { allow: { user: any_scope }, bind: { project: token.attribute.projects }, serve: probe.list, with: { type: probe, derive: "{project}" } }
      POST /p/{project}/deactivate: { allow: { user: any_scope }, bind: { project: token.attribute.projects }, serve: probe.deactivate, with: { type: probe, derive: "{project}" } }
      POST /mine: { allow: { home: any_scope }, serve: probe.activate, with: { type: probe, derive: token.attribute.project, active_max: 1, expires_in: 10m, trigger_expires_in: 5m } }
      POST /c/{project}: { allow: { sanctum: any_scope }, serve: probe.activate, with: { type: probe, derive: "{project}" }, confirm: { to: app, request: "GET /projects/{project}" } }
`;

beforeAll(async () => {
  Object.assign(process.env, {
    PROBE_WIRE_KEY: secret,
    PROBE_WIRE_NEXT: 'the next secret of the tests, 32 bytes',
  });
  upstream = await startUpstream();
  gateway = await startTestGateway(yaml());
});

afterAll(async () => {
  delete process.env.PROBE_WIRE_KEY;
  delete process.env.PROBE_WIRE_NEXT;
  await gateway.stop();
  await upstream.stop();
});

beforeEach(async () => {
  project = `p${count++}`;
  caller = await gateway.mint('user', { attributes: { projects: [project, `${project}-b`, own] } });
  upstream.seen.length = 0;
  upstream.answer = null;
});

type Told = {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly body: any;
};

async function ask(line: string, body?: unknown, token = caller.token): Promise<Told> {
  const [method = '', target = ''] = line.split(' ');
  const answer = await fetch(gateway.url + target, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, headers: answer.headers, body: JSON.parse(await answer.text()) };
}

const asked = { label_pattern: 'payment.*', ttl_seconds: 60 };
const activate = (body: unknown = asked, of = project) => ask(`POST /p/${of}/activate`, body);
const listed = async (of = project) => (await ask(`GET /p/${of}`)).body.activations;

/** What the upstream was told of a trigger on a public row. */
async function identityBy(trigger: string) {
  upstream.seen.length = 0;
  const answer = await fetch(`${gateway.url}/open`, { headers: { 'X-Probe-Trigger': trigger } });
  expect(answer.status).toBe(200);
  const headers: Readonly<Record<string, unknown>> = upstream.seen[0]?.headers ?? {};
  expect(headers['x-probe-trigger']).toBe(trigger);
  const names = ['id', 'label', 'service', 'environment'];
  return names.flatMap((name) => headers[`x-postern-probe-${name}`] ?? []);
}

const payloadOf = (trigger: string) =>
  Buffer.from(trigger.slice('probe_'.length).split('.')[0] ?? '', 'base64url').toString();

describe('probe.activate', () => {
  test('answers with the activation in both shapes, and a trigger that verifies on the rows of an api with that text', async () => {
    const body = { ...asked, service: 'payments', environment: 'staging', trigger_ttl_seconds: 3600 };
    const told = await activate(body, own);
    expect([told.status, told.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const { activation, created_at, trigger_token: trigger, ...flat } = told.body;
    expect(flat).toEqual(activation);
    const { activation_id: id } = activation;
    const at = (seconds: number) => new Date(Date.parse(created_at) + seconds * 1000).toISOString();
    expect(activation).toEqual({
      activation_id: expect.stringMatching(uuid),
      label_pattern: 'payment.*',
      service: 'payments',
      environment: 'staging',
      expires_at: at(60),
      trigger_expires_at: at(3600),
    });
    expect(payloadOf(trigger)).toBe(
      `{"activation_id":"${id}","label_pattern":"payment.*","service":"payments","environment":"staging","trigger_expires_at":"${at(3600)}"}`,
    );
    expect(trigger).toBe(signTrigger('probe_', derived, JSON.parse(payloadOf(trigger))));
    expect(await identityBy(trigger)).toEqual([id, 'payment.*', 'payments', 'staging']);
  });

  test('what is tampered with, or signed for another text, is forwarded untouched and says nothing', async () => {
    const { trigger_token: trigger } = (await activate(asked, own)).body;
    const { trigger_token: others } = (await activate()).body;
    const [payload = '', signature = ''] = trigger.slice('probe_'.length).split('.');
    const more = JSON.stringify({ ...JSON.parse(payloadOf(trigger)), label_pattern: '*' });
    const forged = `probe_${Buffer.from(more).toString('base64url')}.${signature}`;
    for (const wrong of [
      forged,
      others,
      `probe_${payload}.${'A'.repeat(43)}`,
      `${trigger}x`,
      `probe_${payload}`,
    ])
      expect(await identityBy(wrong)).toEqual([]);
  });

  test('leaves an audit row, and no trace of trigger, signature or key in log, audit, list or database', async () => {
    const { trigger_token: trigger, activation_id: id } = (await activate(asked, own)).body;
    await identityBy(trigger);
    const { entries } = await gateway.running.tokens.audit.list({ subject: id, after: null, limit: 9 });
    expect(entries).toMatchObject([
      { action: 'probe.activate', actor: `token:${caller.id}`, detail: { type: 'probe', for: own } },
    ]);
    const everything = await gateway.running.tokens.audit.list({ subject: null, after: null, limit: 1000 });
    const folder = join(gateway.folder, 'data');
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
    const texts = [
      gateway.logText(),
      JSON.stringify(everything),
      JSON.stringify(await listed(own)),
      ...files,
    ];
    expect(gateway.logText().length).toBeGreaterThan(500);
    for (const text of texts) {
      for (const hidden of [trigger, trigger.split('.')[1], derived, secret]) {
        expect(tracesOf(hidden, text)).toEqual([]);
      }
    }
  });

  test('of twenty at once as many get in as may, the others are 409, and an end makes room', async () => {
    const told = await Promise.all(Array.from({ length: 20 }, () => activate()));
    const statuses = told.map(({ status, body }) => (status === 201 ? 201 : `${status} ${body.code}`));
    expect(statuses.filter((status) => status === 201)).toHaveLength(5);
    expect(statuses.filter((status) => status === '409 activations_full')).toHaveLength(15);
    const [{ activation_id: id }] = await listed();
    await ask(`POST /p/${project}/deactivate`, { activation_id: id });
    expect((await activate()).status).toBe(201);
    expect((await activate()).status).toBe(409);
    expect((await activate(asked, `${project}-b`)).status).toBe(201);
  });

  test.each([
    ['', 400, 'payload_invalid'],
    ['{}', 400, 'payload_invalid'],
    ['[]', 400, 'payload_invalid'],
    ['{"label_pattern":"a"}', 400, 'payload_invalid'],
    ['{"ttl_seconds":60}', 400, 'payload_invalid'],
    ['{"label_pattern":"","ttl_seconds":60}', 400, 'payload_invalid'],
    ['{"label_pattern":"a ","ttl_seconds":60}', 400, 'payload_invalid'],
    ['{"label_pattern":"\u00e9","ttl_seconds":60}', 400, 'payload_invalid'],
    ['{"label_pattern":"a\\r\\nb","ttl_seconds":60}', 400, 'payload_invalid'],
    [`{"label_pattern":"${'x'.repeat(201)}","ttl_seconds":60}`, 400, 'payload_invalid'],
    ['{"label_pattern":["a"],"ttl_seconds":60}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","service":"","ttl_seconds":60}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","service":7,"ttl_seconds":60}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","environment":"\\u0001","ttl_seconds":60}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","environment":"\\u0000","ttl_seconds":60}', 400, 'body_malformed'],
    ['{"label_pattern":"a","ttl_seconds":59}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","ttl_seconds":3601}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","ttl_seconds":60.5}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","ttl_seconds":"60"}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","ttl_seconds":60,"trigger_ttl_seconds":59}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","ttl_seconds":60,"trigger_ttl_seconds":86401}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","ttl_seconds":60,"trigger_ttl_seconds":null}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","ttl_seconds":60,"project":"other"}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","ttl_seconds":60,"__proto__":{"service":"a"}}', 400, 'payload_invalid'],
    ['{"label_pattern":"a","label_pattern":"b","ttl_seconds":60}', 400, 'body_malformed'],
    ['{"label_pattern":"a","ttl_seconds":60,"TTL_SECONDS":3600}', 400, 'body_malformed'],
  ])('%j is refused: %d %s, and nothing is active', async (body, status, code) => {
    const told = await activate(body);
    expect([told.status, told.body.code]).toEqual([status, code]);
    expect(await listed()).toEqual([]);
  });

  test('a sample_rate is passed over, an absent service is every one, and a trigger lives as long unless it is said', async () => {
    const { activation } = (await activate({ ...asked, ttl_seconds: 3600, sample_rate: 0.5 })).body;
    expect(activation).toMatchObject({ service: '*', environment: '*' });
    expect(activation.trigger_expires_at).toBe(activation.expires_at);
  });

  test("is for the text of the caller's own token, with the caps of its row", async () => {
    const { token } = await gateway.mint('home', { attributes: { project } });
    const body = { ...asked, ttl_seconds: 600 };
    const { activation, trigger_token: trigger, created_at } = (await ask('POST /mine', body, token)).body;
    expect(trigger).toBe(
      signTrigger('probe_', deriveTriggerKey(secret, project), JSON.parse(payloadOf(trigger))),
    );
    // Not as long as the activation: the row lets no trigger live longer.
    expect(Date.parse(activation.trigger_expires_at) - Date.parse(created_at)).toBe(300_000);
    expect(await listed()).toMatchObject([{ activation_id: activation.activation_id }]);
    expect((await ask('POST /mine', asked, token)).body.code).toBe('activations_full');
    expect((await ask('POST /mine', { ...asked, ttl_seconds: 601 }, token)).body.code).toBe(
      'payload_invalid',
    );
  });

  test('is done once the upstream has said yes, by whom only the upstream knows', async () => {
    const token = `san_${'x'.repeat(30)}`;
    upstream.answer = (_req, res) => void res.writeHead(403).end();
    expect((await ask(`POST /c/${project}`, asked, token)).body.code).toBe('bind_mismatch');
    upstream.answer = null;
    expect(await listed()).toEqual([]);
    const { activation_id: id } = (await ask(`POST /c/${project}`, asked, token)).body;
    expect(upstream.seen.map(({ method, target }) => `${method} ${target}`)).toEqual([
      `GET /projects/${project}`,
    ]);
    const { entries } = await gateway.running.tokens.audit.list({ subject: id, after: null, limit: 9 });
    expect(entries).toMatchObject([{ actor: 'upstream:sanctum' }]);
    // Nothing is derived for what two texts could be, or none.
    for (const odd of ['%01', 'x'.repeat(201)]) {
      expect((await ask(`POST /c/${odd}`, asked, token)).body.code).toMatch(
        /record_not_found|path_ambiguous/,
      );
    }
  });
});

describe('probe.list', () => {
  test('pages through what is active, without triggers', async () => {
    const made = [];
    for (let n = 0; n < 3; n++) made.push((await activate({ ...asked, label_pattern: `l${n}` })).body);
    const whole = made.map(({ activation, created_at }) => ({ ...activation, created_at }));
    const page = await ask(`GET /p/${project}?limit=2`);
    expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const next = await ask(`GET /p/${project}?limit=2&cursor=${page.body.next_cursor}`);
    const all = [...page.body.activations, ...next.body.activations];
    const byId = (one: { activation_id: string }, other: { activation_id: string }) =>
      one.activation_id < other.activation_id ? -1 : 1;
    expect(all.sort(byId)).toEqual(whole.sort(byId));
    expect([page.body.activations.length, next.body.next_cursor]).toEqual([2, null]);
  });

  test.each(['limit=0', 'limit=101', 'limit=x', 'limit=1&limit=2', 'cursor=tok_1', 'cursor=', 'cursor=1_x'])(
    'what is no page is refused: %s',
    async (query) => {
      expect((await ask(`GET /p/${project}?${query}`)).body.code).toBe('payload_invalid');
    },
  );
});

describe('probe.deactivate', () => {
  const deactivate = (body: unknown, of = project) => ask(`POST /p/${of}/deactivate`, body);

  test('ends one once, with the same answer again; its trigger is right until its own end', async () => {
    const { activation_id: id, trigger_token: trigger } = (await activate(asked, own)).body;
    const told = await deactivate({ activation_id: id }, own);
    expect([told.status, told.body]).toEqual([
      200,
      { deactivated: { activation_id: id, deactivated_at: expect.stringMatching(/Z$/) } },
    ]);
    expect((await deactivate({ activation_id: id }, own)).body).toEqual(told.body);
    expect((await listed(own)).map((one: { activation_id: string }) => one.activation_id)).not.toContain(id);
    expect((await identityBy(trigger))[0]).toBe(id);
  });

  test("of another's, an unknown or an odd id is 404, and ends nothing", async () => {
    const { activation_id: id } = (await activate()).body;
    const others = await deactivate({ activation_id: id }, own);
    expect([others.status, others.body.code]).toEqual([404, 'record_not_found']);
    for (const odd of [id.toUpperCase(), 'x', '550e8400-e29b-41d4-a716-446655440000', "' or 1=1 --"]) {
      expect((await deactivate({ activation_id: odd })).body.code).toBe('record_not_found');
    }
    expect(await listed()).toHaveLength(1);
  });

  test.each(['', '{}', '{"activation_id":""}', '{"activation_id":7}', '{"activation_id":"a","x":1}', '[]'])(
    '%j is refused',
    async (body) => {
      expect((await deactivate(body)).body.code).toBe('payload_invalid');
    },
  );

  test('an id that is written twice is refused', async () => {
    expect((await deactivate('{"activation_id":"a","Activation_Id":"b"}')).body.code).toBe('body_malformed');
  });
});

test('the newest key of the list signs, from the reload on', async () => {
  gateway.rewrite(yaml('[{ env: PROBE_WIRE_NEXT }, { env: PROBE_WIRE_KEY }]'));
  const { trigger_token: before } = (await activate()).body;
  expect(await gateway.running.reload()).toBe(true);
  const { trigger_token: after } = (await activate()).body;
  const signedBy = (key: string, trigger: string) =>
    trigger === signTrigger('probe_', deriveTriggerKey(key, project), JSON.parse(payloadOf(trigger)));
  expect(signedBy(secret, before)).toBe(true);
  expect(signedBy(process.env.PROBE_WIRE_NEXT ?? '', after)).toBe(true);
  gateway.rewrite(yaml());
  expect(await gateway.running.reload()).toBe(true);
});

test('a short key is warned of, and never shown', () => {
  const { warnings } = gateway.running.config();
  expect(warnings.filter(({ path }) => path.startsWith('token_types.probe'))).toMatchObject([
    {
      path: 'token_types.probe.key',
      message: 'the key is shorter than 32 bytes: good only if it is random',
      hint: 'make one with: openssl rand -hex 32',
    },
  ]);
});
