/** DebugBundle's probes: activated by members, triggered by a signed token that opens nothing and is verified at the shop. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DebugBundle, nobody, openDebugBundle, shopProject, trigger } from './debugbundle-stage.ts';
import type { Told } from './stage.ts';

let product: DebugBundle;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused: DebugBundle['refused'] = (...all) => product.refused(...all);

const documented =
  '{"label_pattern":"payment.*","service":"payments","environment":"staging","ttl_seconds":300,"trigger_ttl_seconds":3600}';
const asked = (act: string, body: string, { token = '$M', project = 'proj_01HXYZ' } = {}) =>
  `curl -X POST $GW/v1/projects/${project}/probes/${act} -H "Authorization: Bearer ${token}" J -d '${body}'`;
const activate = (body: string, who?: { token?: string; project?: string }) =>
  curl(asked('activate', body, who));
const listed = (project: string) =>
  curl(`curl $GW/v1/projects/${project}/probes -H "Authorization: Bearer $M"`);

beforeAll(async () => {
  product = await openDebugBundle();
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

const verified = {
  'x-postern-probe-activation': '550e8400-e29b-41d4-a716-446655440000',
  'x-postern-probe-label': 'payment.*',
  'x-postern-probe-service': 'payments',
  'x-postern-probe-environment': 'staging',
  'x-postern-probe-expires': '2099-01-01T00:00:00.000Z',
};
const claims = {
  activation_id: verified['x-postern-probe-activation'],
  label_pattern: 'payment.*',
  service: 'payments',
  environment: 'staging',
  trigger_expires_at: verified['x-postern-probe-expires'],
};
/** What the shop heard of a trigger, whatever came with it. */
const heard = () =>
  Object.fromEntries(
    Object.entries(product.seen[0]?.headers ?? {}).filter(([name]) => name.startsWith('x-postern-probe')),
  );

describe('activation', () => {
  test('51: as documented, it answers both shapes, and its trigger is the shop’s', async () => {
    const told = await activate(documented, { project: shopProject });
    expect([told.status, told.headers['cache-control']]).toEqual([201, 'no-store']);
    const activation = {
      activation_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/),
      label_pattern: 'payment.*',
      service: 'payments',
      environment: 'staging',
      expires_at: expect.stringMatching(/Z$/),
      trigger_expires_at: expect.stringMatching(/Z$/),
    };
    expect(told.body).toEqual({
      ...activation,
      activation,
      created_at: expect.stringMatching(/Z$/),
      trigger_token: expect.stringMatching(/^dbundle_probe_[\w-]+\.[\w-]{43}$/),
    });
    const { expires_at, trigger_expires_at, created_at, activation_id, trigger_token } = told.body;
    const lives = (end: string) => Math.round((Date.parse(end) - Date.parse(created_at)) / 1000);
    expect([lives(expires_at), lives(trigger_expires_at)]).toEqual([300, 3600]);
    expect(trigger_token).toBe(
      trigger({
        activation_id,
        label_pattern: 'payment.*',
        service: 'payments',
        environment: 'staging',
        trigger_expires_at,
      }),
    );
    product.names.OURS = trigger_token;
    product.seen.length = 0;
    await curl('curl $GW/checkout -H "X-DebugBundle-Probe-Trigger: $OURS"');
    expect(heard()).toMatchObject({
      'x-postern-probe-activation': activation_id,
      'x-postern-probe-label': 'payment.*',
    });
  });

  test('what is left out is everything, and a trigger lives as long as its activation', async () => {
    const { body } = await activate('{"label_pattern":"auth.*","ttl_seconds":60}', { project: 'proj_short' });
    expect([body.service, body.environment]).toEqual(['*', '*']);
    expect(body.trigger_expires_at).toBe(body.expires_at);
    const rated = '{"label_pattern":"*","ttl_seconds":60,"sample_rate":0.5}';
    expect((await activate(rated, { project: 'proj_short' })).status).toBe(201);
  });

  test.each([
    ['a short life', '{"label_pattern":"*","ttl_seconds":59}'],
    ['a long life', '{"label_pattern":"*","ttl_seconds":3601}'],
    ['half a second', '{"label_pattern":"*","ttl_seconds":60.5}'],
    ['a life in words', '{"label_pattern":"*","ttl_seconds":"300"}'],
    ['no life', '{"label_pattern":"*"}'],
    ['a trigger of a short life', '{"label_pattern":"*","ttl_seconds":60,"trigger_ttl_seconds":59}'],
    ['a trigger of a long life', '{"label_pattern":"*","ttl_seconds":60,"trigger_ttl_seconds":86401}'],
    ['no label', '{"ttl_seconds":60}'],
    ['an empty label', '{"label_pattern":"","ttl_seconds":60}'],
    ['a label that is too long', `{"label_pattern":"${'x'.repeat(201)}","ttl_seconds":60}`],
    ['a key nobody knows', '{"label_pattern":"*","ttl_seconds":60,"labels":[]}'],
    ['no JSON', '{'],
  ])('%s is 400', async (_what, body) => {
    refused(await activate(body), 400, { error: 'invalid_payload' });
  });

  test('the longest lives and labels are not too long', async () => {
    const body = { label_pattern: 'x'.repeat(200), ttl_seconds: 3600, trigger_ttl_seconds: 86_400 };
    expect((await activate(JSON.stringify(body), { project: 'proj_long' })).status).toBe(201);
  });

  test('five are active at a time, of any number asked at once; the sixth is 409 until one is ended', async () => {
    const who = { project: 'proj_five' };
    const told = await Promise.all(Array.from({ length: 7 }, () => activate(documented, who)));
    expect(told.map(({ status }) => status).sort()).toEqual([201, 201, 201, 201, 201, 409, 409]);
    const full = told.find(({ status }) => status === 409);
    expect(full?.body).toEqual({ error: 'concurrent_activation_limit' });
    const ended = told.find(({ status }) => status === 201)?.body.activation_id;
    const end = () => curl(asked('deactivate', `{"activation_id":"${ended}"}`, who));
    const first = await end();
    expect([first.status, first.body]).toEqual([
      200,
      { deactivated: { activation_id: ended, deactivated_at: expect.stringMatching(/Z$/) } },
    ]);
    expect((await activate(documented, who)).status).toBe(201);
    const rest = await listed('proj_five');
    expect(rest.body.activations).toHaveLength(5);
    expect(JSON.stringify(rest.body)).not.toContain(ended);
    expect(rest.text).not.toMatch(/trigger_token|dbundle_probe_/);
    expect(rest.body.activations[0]).toMatchObject({
      activation_id: expect.any(String),
      label_pattern: 'payment.*',
      service: 'payments',
      environment: 'staging',
      expires_at: expect.stringMatching(/Z$/),
      trigger_expires_at: expect.stringMatching(/Z$/),
    });
  });

  test('what is not active in this project cannot be ended', async () => {
    const { body } = await activate(documented, { project: 'proj_else' });
    const ids = [body.activation_id, '550e8400-e29b-41d4-a716-446655440000', 'x'];
    for (const id of ids) {
      const told = await curl(asked('deactivate', `{"activation_id":"${id}"}`));
      expect([told.status, told.body]).toEqual([404, { error: 'activation_not_found' }]);
    }
    product.seen.length = 0;
    refused(await curl(asked('deactivate', '{}')), 400, { error: 'invalid_payload' });
    expect((await listed('proj_else')).body.activations).toHaveLength(1);
  });

  test('a project token, a trigger and nobody activate, list and end none; who only reads is forbidden', async () => {
    for (const token of ['$P', '$TR', '', '$PX']) {
      refused(await activate(documented, { token }), 401, nobody);
      refused(await curl(asked('deactivate', '{}', { token })), 401, nobody);
      const list = `curl $GW/v1/projects/proj_01HXYZ/probes -H "Authorization: Bearer ${token}"`;
      refused(await curl(list), 401, nobody);
    }
    refused(await activate(documented, { token: '$MR' }), 403, { error: 'forbidden' });
  });

  test('a project that the service does not know is 404, and the request goes no further', async () => {
    const told = await activate(documented, { project: 'proj_unknown' });
    expect([told.status, told.body]).toEqual([404, { error: 'project_not_found' }]);
    expect(product.seen.map(({ method, target }) => `${method} ${target}`)).toEqual([
      'GET /v1/projects/proj_unknown/probes',
    ]);
  });
});

describe('a trigger at the shop', () => {
  test('53: is verified by the documented vector, and goes on unchanged', async () => {
    // The derivation of the documentation, against its own example.
    expect(trigger(claims)).toBe(product.names.TR);
    const told = await curl('curl $GW/checkout -H "X-DebugBundle-Probe-Trigger: $TR"');
    expect(told.status).toBe(200);
    expect(heard()).toEqual(verified);
    expect(product.seen[0]?.headers['x-debugbundle-probe-trigger']).toBe(product.names.TR);
    expect(product.seen[0]?.headers).not.toHaveProperty('x-postern-token-id');
  });

  test('may stand in the query; the header goes before it', async () => {
    await curl('curl "$GW/checkout?a=1&_debug_probe=$TR&b=%20|"');
    expect(product.seen[0]?.target).toBe(`/checkout?a=1&_debug_probe=${product.names.TR}&b=%20|`);
    expect(heard()).toEqual(verified);
    product.seen.length = 0;
    product.names.OTHER = trigger({ ...claims, label_pattern: 'auth.*' });
    await curl('curl "$GW/checkout?_debug_probe=$TR" -H "X-DebugBundle-Probe-Trigger: $OTHER"');
    expect(heard()).toEqual({ ...verified, 'x-postern-probe-label': 'auth.*' });
  });

  test.each<[string, () => string]>([
    ['the placeholder of the documentation', () => 'dbundle_probe_m3n4o5p6q7r8...'],
    ['a tampered signature', () => `${product.names.TR?.slice(0, -2)}AA`],
    ['a tampered payload', () => product.names.TR?.replace('_eyJ', '_eyK') ?? ''],
    ['an expired one', () => trigger({ ...claims, trigger_expires_at: '2020-01-01T00:00:00.000Z' })],
    ['one of another project', () => trigger(claims, '22222222-2222-4222-8222-222222222222')],
    ['one without an end', () => trigger({ activation_id: 'x' })],
    ['another word', () => 'yes please'],
  ])('%s is passed on untouched, and says nothing', async (_which, text) => {
    product.names.WRONG = text();
    const told = await curl(
      'curl $GW/checkout -H "X-DebugBundle-Probe-Trigger: $WRONG" -H "X-Postern-Probe-Label: forged"',
    );
    expect(told.status).toBe(200);
    expect(product.seen[0]?.headers['x-debugbundle-probe-trigger']).toBe(product.names.WRONG);
    expect(heard()).toEqual({});
  });

  test('29, 33: as a bearer it is nobody', async () => {
    refused(await curl('curl $GW/v1/projects -H "Authorization: Bearer $TR"'), 401, nobody);
    refused(await curl('curl $GW/v1/projects -H "X-DebugBundle-Probe-Trigger: $TR"'), 401, nobody);
    const bearer = 'curl -X POST $GW/v1/probes/activate -H "Authorization: Bearer $TR" J -d "{}"';
    refused(await curl(bearer), 401, nobody);
  });

  test('a page with a trigger and a token of its own keeps both', async () => {
    await curl(
      'curl -X POST $GW/checkout -H "X-DebugBundle-Probe-Trigger: $TR" -H "Authorization: Bearer own"',
    );
    expect(product.seen[0]?.headers.authorization).toBe('Bearer own');
    expect(heard()).toEqual(verified);
  });
});

test('73: no trigger and no key stands in the store, the log or the metrics', async () => {
  const traces = await product.traces();
  for (const name of ['TR', 'OURS', 'OTHER']) {
    const [, signature = ''] = product.names[name]?.split('.') ?? [];
    expect(signature).toHaveLength(43);
    expect(traces).not.toContain(signature);
  }
  expect(traces).not.toContain('gateway-test-secret');
});
