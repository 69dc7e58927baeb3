/** Signed tokens on the wire: a right one becomes identity, and neither a right nor a wrong one changes anything else. */
import { createSecretKey } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rehearse } from '../../gateway/rehearsal.ts';
import { deriveTriggerKey, signTrigger } from '../../gateway/trigger.ts';
import { ask, flawsInRefusal, type ReadAnswer, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const [older, newer] = ['the older key, kept elsewhere 0001', 'the newer key, kept elsewhere 0002'];
const until = '2099-01-01T00:00:00.000Z';
const fields = { label: 'payment.*', id: 'act_1', trigger_expires_at: until };
const right = signTrigger('probe_', newer, fields);
const expired = signTrigger('probe_', newer, { ...fields, trigger_expires_at: '2020-01-01T00:00:00Z' });
const forged = signTrigger('probe_', 'a key that nobody of ours has seen', fields);

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
let token: string;
const yaml = (keys = '[{ env: TRIGGER_NEWER }, { env: TRIGGER_OLDER }]') => `
upstreams: { app: { url: ${upstream.url} } }
token_types:
  item: { prefix: it_, scopes: [] }
  bare: { scopes: [] }
  probe: { prefix: probe_, format: signed, use: annotate, sources: [header:X-Probe-Trigger, query:_probe], key: ${keys} }
  other: { prefix: other_, format: signed, use: annotate, sources: [header:X-Other], key: { env: TRIGGER_OLDER }, derive: prj_1, expires: ends }
scopes: {}
failure_budget: { rate: 3/1m, per: address }
identity:
  headers:
    X-Postern-Token-Type: token.type
    X-Postern-Probe-Label: annotation.probe.label
    X-Postern-Probe-Id: annotation.probe.id
    X-Other-Label: annotation.other.label
apis:
  main:
    to: app
    types: [item, bare, probe, other]
    routes:
      GET /open: { allow: public }
      GET /strip: { allow: public, credentials: strip }
      GET /items: { allow: { item: any_scope, bare: any_scope } }
  unread:
    to: app
    types: [item]
    routes:
      GET /unread: { allow: public }
fixtures:
  - { name: whatever is sent as a trigger, request: GET /open, headers: { X-Probe-Trigger: probe_nonsense }, expect: forward }
`;

beforeAll(async () => {
  Object.assign(process.env, { TRIGGER_NEWER: newer, TRIGGER_OLDER: older });
  upstream = await startUpstream();
  gateway = await startTestGateway(yaml());
  token = (await gateway.mint('item')).token;
});

afterAll(async () => {
  delete process.env.TRIGGER_NEWER;
  delete process.env.TRIGGER_OLDER;
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.seen.length = 0;
});

/** What the upstream was told of the caller, by the names of the config. */
async function told(target: string, lines: readonly string[] = []): Promise<Record<string, string>> {
  const answer = await ask(gateway.port, requestBytes(`GET ${target}`, lines));
  expect(answer.status).toBe(200);
  const seen = upstream.seen.at(-1);
  expect(seen?.target).toBe(target);
  const names = ['x-postern-token-type', 'x-postern-probe-label', 'x-postern-probe-id', 'x-other-label'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = seen?.headers[name];
      return value === undefined ? [] : [[name, String(value)]];
    }),
  );
}

const said = { 'x-postern-probe-label': 'payment.*', 'x-postern-probe-id': 'act_1' };

describe('a right one', () => {
  test.each(['/open', '/strip'])('is told on the public row %s, and forwarded as it came', async (path) => {
    expect(await told(path, [`X-Probe-Trigger: ${right}`])).toEqual(said);
    expect(upstream.seen[0]?.headers['x-probe-trigger']).toBe(right);
    expect(await told(`${path}?a=1&_probe=${right}&b=%20`)).toEqual(said);
    expect(await told(path)).toEqual({});
  });

  test('is told beside who asks', async () => {
    const lines = [`X-Probe-Trigger: ${right}`, `Authorization: Bearer ${token}`];
    expect(await told('/items', lines)).toEqual({ ...said, 'x-postern-token-type': 'item' });
    expect(upstream.seen[0]?.headers.authorization).toBeUndefined();
  });

  test('of each type is told by itself', async () => {
    const other = signTrigger('other_', deriveTriggerKey(older, 'prj_1'), { label: 'b', ends: until });
    const both = [`X-Other: ${other}`, `X-Probe-Trigger: ${right}`];
    expect(await told('/open', both)).toEqual({ ...said, 'x-other-label': 'b' });
    expect(await told('/open', [`X-Other: ${right}`, `X-Probe-Trigger: ${other}`])).toEqual({});
    // The secret itself signs nothing where keys are derived.
    const underived = signTrigger('other_', older, { label: 'b', ends: until });
    expect(await told('/open', [`X-Other: ${underived}`])).toEqual({});
  });

  test('may be signed by the older key, until a reload drops it', async () => {
    const old = signTrigger('probe_', older, fields);
    expect(await told('/open', [`X-Probe-Trigger: ${old}`])).toEqual(said);
    gateway.rewrite(yaml('{ env: TRIGGER_NEWER }'));
    expect(await gateway.running.reload()).toBe(true);
    expect(await told('/open', [`X-Probe-Trigger: ${old}`])).toEqual({});
    expect(await told('/open', [`X-Probe-Trigger: ${right}`])).toEqual(said);
  });

  test('says nothing that no header could carry, and nothing longer than 200', async () => {
    const odd = { label: 'a\r\nX-Admin: 1', id: 'x'.repeat(201), trigger_expires_at: until };
    expect(await told('/open', [`X-Probe-Trigger: ${signTrigger('probe_', newer, odd)}`])).toEqual({});
    const most = { label: 'é', id: 'x'.repeat(200), trigger_expires_at: until };
    const lines = [`X-Probe-Trigger: ${signTrigger('probe_', newer, most)}`];
    expect(await told('/open', lines)).toEqual({ 'x-postern-probe-id': most.id });
  });

  test('means nothing to an api that does not list its type', async () => {
    expect(await told('/unread', [`X-Probe-Trigger: ${right}`])).toEqual({});
    expect(upstream.seen[0]?.headers['x-probe-trigger']).toBe(right);
  });
});

describe('a wrong one is forwarded, and nothing is told of it:', () => {
  test.each<[string, string, readonly string[]]>([
    ['forged', '/open', [`X-Probe-Trigger: ${forged}`]],
    ['expired', '/open', [`X-Probe-Trigger: ${expired}`]],
    ['without a dot', '/open', ['X-Probe-Trigger: probe_m3n4o5p6q7r8']],
    ['of another prefix', '/open', [`X-Probe-Trigger: x${right}`]],
    ['cut short', '/open', [`X-Probe-Trigger: ${right.slice(0, -1)}`]],
    ['twice', '/open', [`X-Probe-Trigger: ${right}`, `X-Probe-Trigger: ${right}`]],
    ['twice in the query', `/open?_probe=${right}&_probe=${right}`, []],
    ['in a disguised query name', `/open?%5fprobe=${right}`, []],
    ['with a wrong one before it', `/open?_probe=${right}`, [`X-Probe-Trigger: ${forged}`]],
    ['as a cookie', '/open', [`Cookie: _probe=${right}`]],
    ['in another header', '/open', [`X_Probe_Trigger: ${right}`]],
    [
      'beside the headers it would become',
      '/open',
      ['X-Postern-Probe-Label: forged', 'x_other_label: forged'],
    ],
  ])('%s', async (_, target, lines) => {
    expect(await told(target, lines)).toEqual({});
    const sent = lines.filter((line) => line.startsWith('X-Probe-Trigger'));
    const { rawHeaders = [] } = upstream.seen[0] ?? {};
    const arrived = rawHeaders.flatMap((name, i) => {
      return i % 2 === 0 && name === 'X-Probe-Trigger' ? [`${name}: ${rawHeaders[i + 1]}`] : [];
    });
    expect(arrived).toEqual(sent);
  });
});

describe('as a credential', () => {
  async function refused(lines: readonly string[], target = '/items'): Promise<ReadAnswer> {
    const answer = await ask(gateway.port, requestBytes(`GET ${target}`, lines));
    expect([answer.status, flawsInRefusal(answer), upstream.seen.length]).toEqual([401, [], 0]);
    return answer;
  }

  test('a right one is 401 without a look-up, also where a type has no prefix', async () => {
    const answer = await refused([`Authorization: Bearer ${right}`]);
    const line = await gateway.account(answer.field('x-request-id'));
    expect([line.code, line.reason]).toEqual(['credential_malformed', 'signed tokens are no credentials']);
  });

  test('its own sources hold none, so it is as if nothing was sent', async () => {
    const answer = await refused([`X-Probe-Trigger: ${right}`], `/items?_probe=${right}`);
    expect((await gateway.account(answer.field('x-request-id'))).code).toBe('credential_missing');
  });
});

test('no log line holds one, or a key', async () => {
  await told(`/open?_probe=${right}`, [`X-Probe-Trigger: ${expired}`, `X-Other: ${forged}`]);
  const log = gateway.logText();
  expect(log.length).toBeGreaterThan(1000);
  for (const secret of [right, expired, forged, older, newer]) expect(tracesOf(secret, log)).toEqual([]);
});

describe('explain', () => {
  const keys = new Map([['probe', [createSecretKey(newer, 'utf8')]]]);

  async function explained(trigger: string): Promise<readonly [string, string | undefined, object]> {
    const { policy } = gateway.running.config();
    const headers = [['X-Probe-Trigger', trigger]] as const;
    const asked = { method: 'GET', target: '/open', headers, as: null };
    const { outcome, steps, identity } = await rehearse(policy, asked, Date.now(), keys);
    return [outcome, steps.find(({ step }) => step === 'annotation probe')?.detail, identity];
  }

  test('says of each whether it is right, and why not, without repeating it', async () => {
    expect(await explained(right)).toEqual([
      'forward',
      'verified',
      { 'X-Postern-Probe-Label': 'payment.*', 'X-Postern-Probe-Id': 'act_1' },
    ]);
    expect(await explained(expired)).toEqual(['forward', 'ignored: it has expired', {}]);
    expect(await explained(forged)).toEqual(['forward', 'ignored: no key of its type signed it', {}]);
    expect(await explained('')).toEqual(['forward', undefined, {}]);
  });
});
