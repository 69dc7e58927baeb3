/** Bundle pins over real sockets: who is let through, what is pinned by it, and what never pins anything. */

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rehearse } from '../../gateway/rehearsal.ts';
import { ask, problemOf, type ReadAnswer, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;

const config = (url: string) => `
upstreams: { app: { url: ${url} }, dead: { url: http://127.0.0.1:1 } }
token_types: { project: { prefix: pro_, grantable: [], attributes: { project: required } } }
limits:
  one: { rate: 1/1m, per: [token] }
pins:
  app: { kind: bundle_id, from: json:/app_id, first_use: pin, belongs_to: attribute.project, when_missing: allow_unless_pinned, reveal: masked }
  own: { kind: bundle_id, from: [json:/own, header:X-Own], first_use: pin, belongs_to: token, when_missing: deny }
  soon: { kind: bundle_id, from: json:/app_id, first_use: pin, belongs_to: attribute.project, when_missing: deny, mode: monitor, until: 2999-01-01 }
  set: { kind: bundle_id, from: header:X-Set, belongs_to: attribute.project, when_missing: allow }
identity: { headers: { X-Postern-Bundle: pin.app, X-Postern-Sent: pin.app.sent, X-Postern-First: pin.app.first_use } }
apis:
  main:
    to: app
    routes:
      POST /ingest: { allow: { project: any_scope }, pins: [app] }
      POST /both: { allow: { project: any_scope }, pins: [app, own] }
      POST /dead: { to: dead, allow: { project: any_scope }, pins: [app] }
      POST /once: { allow: { project: any_scope }, pins: [app], limits: [one] }
      POST /soon: { allow: { project: any_scope }, pins: [soon] }
      GET /set: { allow: { project: any_scope }, pins: [set] }
      POST /free: { allow: { project: any_scope } }
`;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(config(upstream.url));
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(async () => {
  await forget();
  upstream.seen.length = 0;
});

/** Values by `pin subject`, as the store has them. */
async function pinned(): Promise<Record<string, string>> {
  const { pins } = await gateway.running.tokens.pins.list({
    pin: null,
    subject: null,
    after: null,
    limit: 1000,
  });
  return Object.fromEntries(pins.map(({ pin, subject, value }) => [`${pin} ${subject}`, value]));
}

async function forget(): Promise<void> {
  const { pins } = gateway.running.tokens;
  const listed = await pins.list({ pin: null, subject: null, after: null, limit: 1000 });
  for (const key of listed.pins) {
    await pins.change(key, null, 'test', null);
  }
}

type Holder = {
  readonly id: string;
  readonly send: (line: string, body?: unknown, ...lines: string[]) => Promise<ReadAnswer>;
};

async function holderOf(project: string): Promise<Holder> {
  const { id, token } = await gateway.mint('project', { attributes: { project } });
  const send = (line: string, body?: unknown, ...lines: string[]) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const fields =
      body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${text.length}`];
    return ask(
      gateway.port,
      requestBytes(line, [`Authorization: Bearer ${token}`, ...fields, ...lines], text),
    );
  };
  return { id, send };
}

const said = (answer: ReadAnswer) => [answer.status, problemOf(answer)?.code];
const passed = 200;

test('the upstream is told what is pinned, what was sent, and whether this pinned it; callers cannot say so', async () => {
  const holder = await holderOf('told');
  const told = async (line: string, body: unknown) => {
    expect((await holder.send(line, body, 'X-Postern-Bundle: forged', 'X_Postern_First: true')).status).toBe(
      200,
    );
    const headers = upstream.seen.at(-1)?.headers ?? {};
    return ['bundle', 'sent', 'first'].map((name) => headers[`x-postern-${name}`]);
  };
  expect(await told('POST /ingest', {})).toEqual([undefined, undefined, undefined]);
  expect(await told('POST /ingest', { app_id: 'com.acme' })).toEqual(['com.acme', 'com.acme', 'true']);
  expect(await told('POST /ingest', { app_id: 'com.acme' })).toEqual(['com.acme', 'com.acme', undefined]);
  expect(await told('POST /free', { app_id: 'com.acme' })).toEqual([undefined, undefined, undefined]);
});

describe('a first use', () => {
  test('pins for the whole project, and from then on nothing else passes', async () => {
    const [one, other, stranger] = [await holderOf('p1'), await holderOf('p1'), await holderOf('p2')];
    expect((await one.send('POST /ingest', {})).status).toBe(passed);
    expect(await pinned()).toEqual({});
    expect((await one.send('POST /ingest', { app_id: 'com.acme.app' })).status).toBe(passed);
    expect((await other.send('POST /ingest', { app_id: 'com.acme.app' })).status).toBe(passed);
    upstream.seen.length = 0;
    const answer = await other.send('POST /ingest', { app_id: 'com.evil' });
    expect(said(answer)).toEqual([403, 'bundle_mismatch']);
    expect(JSON.parse(answer.body).expected).toBe('*om.acme.app');
    expect(said(await one.send('POST /ingest', {}))).toEqual([403, 'bundle_missing']);
    expect(said(await one.send('POST /ingest', { app_id: null }))).toEqual([403, 'bundle_mismatch']);
    expect(upstream.seen).toEqual([]);
    expect((await stranger.send('POST /ingest', { app_id: 'com.evil' })).status).toBe(passed);
    expect((await one.send('POST /free', { app_id: 'com.evil' })).status).toBe(passed);
    expect(await pinned()).toEqual({ 'app project=p1': 'com.acme.app', 'app project=p2': 'com.evil' });
    expect(gateway.logText()).not.toMatch(/com\.(?:acme|evil)/);
  });

  test('of fifty at once lets one id win, and only those who named it through', async () => {
    const holders = await Promise.all(Array.from({ length: 50 }, () => holderOf('race')));
    const answers = await Promise.all(
      holders.map(async ({ send }, n) => {
        const id = `com.app${n % 10}`;
        return { id, status: (await send('POST /ingest', { app_id: id })).status };
      }),
    );
    const winner = (await pinned())['app project=race'];
    expect(winner).toMatch(/^com\.app\d$/);
    for (const { id, status } of answers) expect([id, status]).toEqual([id, id === winner ? passed : 403]);
    expect(upstream.seen.map(({ body }) => JSON.parse(body).app_id)).toEqual(Array(5).fill(winner));
  });

  test('that anything else refuses pins nothing', async () => {
    const { id, send } = await holderOf('p3');
    expect((await send('POST /once', {})).status).toBe(passed);
    expect(said(await send('POST /once', { app_id: 'com.acme' }))).toEqual([429, 'rate_limited']);
    expect(said(await send('POST /both', { app_id: 'com.acme' }))).toEqual([403, 'bundle_missing']);
    expect(said(await send('POST /both', { app_id: 'com.acme', own: 'a' }, 'X-Own: b'))).toEqual([
      403,
      'bundle_mismatch',
    ]);
    expect(said(await send('POST /ingest', { app_id: 'com.acme' }, 'Content-Encoding: br'))).toEqual([
      415,
      'body_encoding',
    ]);
    expect(await pinned()).toEqual({});
    expect((await send('POST /both', { app_id: 'com.acme', own: 'a' }, 'X-Own: a')).status).toBe(passed);
    expect(await pinned()).toEqual({ 'app project=p3': 'com.acme', [`own token=${id}`]: 'a' });
  });

  test('stays pinned where the upstream fails it', async () => {
    const { send } = await holderOf('p4');
    expect((await send('POST /dead', { app_id: 'com.acme' })).status).toBe(502);
    expect(await pinned()).toEqual({ 'app project=p4': 'com.acme' });
  });
});

test('one that only watches says what it would refuse, and lets it through', async () => {
  const { send } = await holderOf('p7');
  const statuses = [];
  for (const body of [{ app_id: 'com.acme' }, { app_id: 'com.evil' }, {}]) {
    statuses.push((await send('POST /soon', body)).status);
  }
  expect(statuses).toEqual([passed, passed, passed]);
  expect(await pinned()).toEqual({ 'soon project=p7': 'com.acme' });
  const monitored = gateway.lines.flatMap((line) => (line.monitored === undefined ? [] : [line.monitored]));
  expect(monitored).toEqual([['bundle_mismatch'], ['bundle_missing']]);
});

test('a header alone needs no body, and where first use does not pin only an operator may', async () => {
  const { send } = await holderOf('p5');
  expect((await send('GET /set')).status).toBe(passed);
  expect(said(await send('GET /set', undefined, 'X-Set: com.acme'))).toEqual([403, 'bundle_mismatch']);
  await gateway.running.tokens.pins.pinFirst({ pin: 'set', subject: 'project=p5' }, 'com.acme', 'operator');
  expect((await send('GET /set', undefined, 'X-Set: com.acme')).status).toBe(passed);
  expect(said(await send('GET /set', undefined, 'X-Set: com.evil'))).toEqual([403, 'bundle_mismatch']);
  expect(said(await send('GET /set', undefined, 'X-Set: com.acme', 'X-Set: com.acme'))).toEqual([
    403,
    'bundle_mismatch',
  ]);
  expect((await send('GET /set')).status).toBe(passed);
});

test('a pin that cannot be kept is 503, and never a yes', async () => {
  const { send } = await holderOf('p6');
  const other = new Database(join(gateway.folder, 'data/postern.db'));
  other.exec('begin immediate');
  expect(said(await send('POST /ingest', { app_id: 'com.acme' }))).toEqual([503, 'store_unavailable']);
  other.close();
  expect(upstream.seen).toEqual([]);
  expect(gateway.running.bodies.held).toBe(0);
  expect((await send('POST /ingest', { app_id: 'com.acme' })).status).toBe(passed);
});

test('explain and the wire agree, body by body', async () => {
  const { policy } = gateway.running.config();
  const type = policy.types.get('project');
  if (type === undefined) throw new Error('no type');
  const { send } = await holderOf('fixture');
  const bodies = [
    {},
    [],
    { app_id: 'com.acme' },
    { app_id: 'com.evil' },
    { app_id: '' },
    { own: 'a' },
    { app_id: 'com.acme', own: 7 },
  ];
  for (const before of [null, 'com.acme']) {
    for (const line of ['POST /ingest', 'POST /both', 'POST /free']) {
      for (const body of bodies) {
        await forget();
        if (before !== null)
          await gateway.running.tokens.pins.pinFirst(
            { pin: 'app', subject: 'project=fixture' },
            before,
            'operator',
          );
        const answer = await send(line, body);
        const [method = '', target = ''] = line.split(' ');
        const rehearsal = await rehearse(policy, {
          method,
          target,
          headers: [],
          body: Buffer.from(JSON.stringify(body)),
          pinned: new Map(before === null ? [] : [['app', before]]),
          as: { type, scopes: null, attributes: new Map([['project', 'fixture']]) },
        });
        const wire = answer.status === passed ? ['forward', null] : ['refuse', problemOf(answer)?.code];
        expect([line, body, before, rehearsal.outcome, rehearsal.code]).toEqual([
          line,
          body,
          before,
          ...wire,
        ]);
      }
    }
  }
});
