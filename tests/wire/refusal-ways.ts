/** How each refusal is reached from outside: one real request per code, against real listeners. */
import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import BetterSqlite from 'better-sqlite3';
import { vi } from 'vitest';
import type { RefusalCode } from '../../gateway/refusals.ts';
import { ask, type ReadAnswer, readAnswers, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, type Minting, startTestGateway } from '../fixtures/gateway.ts';
import { emptyAnswer, type RawUpstream } from '../fixtures/raw-upstream.ts';
import type { UpstreamFixture } from '../fixtures/upstream.ts';
import { patiently } from '../support/busy.ts';

export type Stage = {
  readonly gateway: GatewayFixture;
  /** Its Redis is dead, its verifier and its upstreams have room for one, and its callers may fail three times. */
  readonly poor: GatewayFixture;
  readonly upstream: UpstreamFixture;
  readonly raw: RawUpstream;
  readonly yaml: string;
};

export type Reached = {
  readonly gateway: GatewayFixture;
  readonly answer: ReadAnswer;
  /** Row of the access line; default: none. */
  readonly route?: string;
  /** Token of the access line; default: none. */
  readonly tokenId?: string;
};

const leakKeyFile = join(import.meta.dirname, '../gateway/bad-configs/leaks.keys');
const keyFile = join(import.meta.dirname, '../gateway/bad-configs/trigger-key.yaml.key');

export function stageConfig(upstream: string, raw: string): string {
  return `
leaks: { keys: { file: ${leakKeyFile} } }
upstreams:
  app: { url: ${upstream} }
  raw: { url: ${raw} }
  slow: { url: ${raw}, timeout: { connect: 1s, first_byte: 50ms, idle: 1s } }
  dead: { url: http://127.0.0.1:1 }
token_types:
  item: { prefix: it_, grantable: [items:read, items:write], attributes: { tenant: optional } }
  other: { prefix: ot_, scopes: [items:read] }
  old: { prefix: old_, hash: { use: bcrypt, cost: 10 }, scopes: [items:read] }
  probe: { prefix: probe_, format: signed, use: annotate, sources: [header:X-Probe], key: { file: ${keyFile} } }
  session: { scopes: [items:read], sources: [cookie:session], attributes: { csrf: required }, csrf: { header: X-CSRF-Token, equals: token.attribute.csrf } }
scopes: { items:read: Read items, items:write: Write items }
cors: { site: { origins: ["https://site.example"] } }
limits:
  one: { rate: 1/1m, per: [token], on_redis_down: closed }
  two: { rate: 2/1m, per: [token], cost: json:/items#, on_redis_down: closed }
pins:
  office: { kind: cidr, allow: [203.0.113.0/24] }
  app: { kind: bundle_id, from: json:/app_id, first_use: deny, belongs_to: token, when_missing: deny }
apis:
  main:
    to: app
    routes:
      GET /items: { allow: { item: items:read, old: items:read } }
      POST /items: { allow: { item: items:write }, body: { max: 8B } }
      POST /batch: { allow: { item: any_scope }, body: { json: true }, limits: [two] }
      POST /apps: { allow: { item: any_scope }, pins: [app] }
      GET /tenants/{tenant}: { allow: { item: any_scope }, bind: { tenant: token.attribute.tenant } }
      GET /limited: { allow: { item: any_scope }, limits: [one] }
      GET /page: { allow: { item: any_scope }, cors: site }
      POST /visits: { allow: { session: any_scope } }
      GET /office: { allow: public, pins: [office] }
      GET /dead: { to: dead, allow: public }
      GET /slow: { to: slow, allow: public }
      GET /raw: { to: raw, allow: public }
      POST /tokens: { allow: { item: any_scope }, serve: token.create, with: { type: other } }
      POST /probes: { allow: { item: any_scope }, serve: probe.activate, with: { type: probe, derive: all, active_max: 1 } }
      DELETE /tokens/{id}: { allow: { item: any_scope }, serve: token.revoke, with: { type: other, token: "{id}" } }
      GET /tokens: { allow: { item: any_scope }, serve: token.list, with: { type: other }, confirm: { to: dead, request: GET /me } }
`;
}

type Way = (stage: Stage) => Promise<Reached>;

/** A request at the main gateway; `route` and `tokenId` as its access line must name them. */
async function at(
  { gateway }: Stage,
  line: string,
  lines: readonly string[] = [],
  more: { readonly route?: string; readonly tokenId?: string; readonly body?: string } = {},
): Promise<Reached> {
  const { body, ...named } = more;
  return { gateway, answer: await ask(gateway.port, requestBytes(line, lines, body)), ...named };
}

/** A request with a token of its own; `spoil` is done to the token before. */
async function withToken(
  stage: Stage,
  [line, route]: readonly [line: string, route: string],
  [type, minting, spoil]: readonly [type: string, minting?: Minting, spoil?: (id: string) => unknown],
  lines: readonly string[] = [],
): Promise<Reached> {
  const { id, token } = await stage.gateway.mint(type, minting);
  await spoil?.(id);
  const bearer = `Authorization: Bearer ${token}`;
  return at(stage, line, [bearer, ...lines], { route: `main ${route}`, tokenId: id });
}

async function withBody(stage: Stage, line: string, type: string, body: string): Promise<Reached> {
  const { id, token } = await stage.gateway.mint('item');
  const lines = [
    `Authorization: Bearer ${token}`,
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return at(stage, line, lines, { route: `main ${line}`, tokenId: id, body });
}

const readItems = ['GET /items', 'GET /items'] as const;
const reads: Minting = { scopes: ['items:read'] };

/** There is no operation for it yet: another process's write, as far as the gateway can see. */
function disable({ gateway }: Stage, id: string): void {
  const database = new BetterSqlite(join(gateway.folder, 'data/postern.db'));
  database.prepare('update tokens set disabled_at = ? where id = ?').run(Date.now(), id);
  database.close();
}

export const ways: Readonly<Record<RefusalCode, Way>> = {
  request_malformed: (stage) => at(stage, 'GET *'),
  path_ambiguous: (stage) => at(stage, 'GET /a/../items'),
  header_too_large: (stage) => at(stage, 'GET /items', [`X-Big: ${'x'.repeat(20_000)}`]),
  uri_too_long: (stage) => at(stage, `GET /items?${'x'.repeat(9000)}`),
  body_too_large: (stage) =>
    withToken(
      stage,
      ['POST /items', 'POST /items'],
      ['item', { scopes: ['items:write'] }],
      ['Content-Length: 9'],
    ),
  body_malformed: (stage) => withBody(stage, 'POST /batch', 'application/json', '{"items":[1],}'),
  body_encoding: (stage) => withBody(stage, 'POST /batch', 'text/plain', '{"items":[1]}'),
  cost_too_large: (stage) => withBody(stage, 'POST /batch', 'application/json', '{"items":[1,2,3]}'),
  expectation_failed: (stage) => at(stage, 'POST /items', ['Expect: miracles']),
  request_timeout: async ({ gateway }) => ({
    gateway,
    answer: await ask(gateway.port, 'GET /items HTTP/1.1\r\nHo'),
  }),
  route_not_found: (stage) => at(stage, 'GET /nothing'),
  method_not_allowed: (stage) => at(stage, 'DELETE /items'),
  cors_origin_not_allowed: (stage) =>
    at(stage, 'OPTIONS /page', ['Origin: https://evil.example', 'Access-Control-Request-Method: GET'], {
      route: 'main GET /page',
    }),
  credential_missing: (stage) => at(stage, 'GET /items', [], { route: 'main GET /items' }),
  credential_malformed: (stage) =>
    at(stage, 'GET /items', ['Authorization: Basic YTpi'], { route: 'main GET /items' }),
  credential_ambiguous: (stage) =>
    at(stage, 'GET /items', ['Authorization: Bearer a', 'Authorization: Bearer b'], {
      route: 'main GET /items',
    }),
  too_many_failures: tooManyFailures,
  token_unknown: (stage) =>
    at(stage, 'GET /items', [`Authorization: Bearer it_${'x'.repeat(40)}`], { route: 'main GET /items' }),
  token_expired: (stage) => withToken(stage, readItems, ['item', { ...reads, expiresAt: Date.now() - 1 }]),
  token_revoked: (stage) =>
    withToken(stage, readItems, [
      'item',
      reads,
      (id) => stage.gateway.running.tokens.revoke(id, 'test', null),
    ]),
  token_disabled: (stage) => withToken(stage, readItems, ['item', reads, (id) => disable(stage, id)]),
  type_not_allowed: (stage) => withToken(stage, readItems, ['other']),
  scope_missing: (stage) => withToken(stage, ['POST /items', 'POST /items'], ['item', reads]),
  bind_mismatch: (stage) =>
    withToken(stage, ['GET /tenants/b', 'GET /tenants/{tenant}'], ['item', { attributes: { tenant: 'a' } }]),
  csrf_invalid: csrfInvalid,
  address_not_allowed: (stage) => at(stage, 'GET /office', [], { route: 'main GET /office' }),
  origin_not_allowed: (stage) =>
    withToken(stage, readItems, ['item', { ...reads, origins: ['https://site.example'] }], ['Origin: null']),
  bundle_mismatch: (stage) => withBody(stage, 'POST /apps', 'application/json', '{"app_id":"com.acme"}'),
  bundle_missing: (stage) => withBody(stage, 'POST /apps', 'application/json', '{}'),
  rate_limited: rateLimited,
  payload_invalid: (stage) =>
    withBody(stage, 'POST /tokens', 'application/json', '{"label":"a","scopes":[]}'),
  origins_invalid: (stage) =>
    withBody(stage, 'POST /tokens', 'application/json', '{"label":"a","allowed_origins":["a.example"]}'),
  record_not_found: (stage) => withToken(stage, ['DELETE /tokens/tok_x', 'DELETE /tokens/{id}'], ['item']),
  activations_full: activationsFull,
  report_unsigned: (stage) => at(stage, 'POST /_postern/leaks', []),
  confirm_unavailable: (stage) => withToken(stage, ['GET /tokens', 'GET /tokens'], ['item']),
  store_unavailable: storeUnavailable,
  limiter_unavailable: async ({ poor }) => {
    const { id, token } = await poor.mint('item');
    const answer = await ask(poor.port, requestBytes('GET /limited', [`Authorization: Bearer ${token}`]));
    return { gateway: poor, answer, route: 'main GET /limited', tokenId: id };
  },
  verifier_busy: verifierBusy,
  overloaded,
  draining,
  upstream_unreachable: (stage) => at(stage, 'GET /dead', [], { route: 'main GET /dead' }),
  upstream_timeout: (stage) => {
    stage.raw.answer = () => {};
    return at(stage, 'GET /slow', [], { route: 'main GET /slow' });
  },
  upstream_protocol_error: (stage) => {
    stage.raw.answer = (socket) => socket.write('220 mail.example ESMTP\r\n\r\n');
    return at(stage, 'GET /raw', [], { route: 'main GET /raw' });
  },
  internal_error: (stage) => {
    vi.spyOn(stage.gateway.running.tokens, 'find').mockImplementationOnce(() => {
      throw new TypeError('a bug');
    });
    const lines = [`Authorization: Bearer it_${'x'.repeat(40)}`];
    return at(stage, 'GET /items', lines, { route: 'main GET /items' });
  },
};

async function csrfInvalid(stage: Stage): Promise<Reached> {
  const { id, token } = await stage.gateway.mint('session', { attributes: { csrf: 'right' } });
  const lines = [`Cookie: session=${token}`, 'X-CSRF-Token: wrong'];
  return at(stage, 'POST /visits', lines, { route: 'main POST /visits', tokenId: id });
}

/** The quota is three and each prefix has one in reserve: the fifth at the latest must wait. */
async function tooManyFailures({ poor }: Stage): Promise<Reached> {
  const wrong = requestBytes('GET /items', [`Authorization: Bearer ot_${'x'.repeat(40)}`]);
  for (let tries = 0; tries < 4; tries++) {
    const answer = await ask(poor.port, wrong);
    if (answer.status === 429) return { gateway: poor, answer, route: 'main GET /items' };
  }
  return { gateway: poor, answer: await ask(poor.port, wrong), route: 'main GET /items' };
}

async function rateLimited(stage: Stage): Promise<Reached> {
  const { gateway } = stage;
  const { id, token } = await gateway.mint('item');
  const lines = [`Authorization: Bearer ${token}`];
  const first = await ask(gateway.port, requestBytes('GET /limited', lines));
  if (first.status !== 200) throw new Error(`the first of one gets ${first.status}`);
  stage.upstream.seen.length = 0;
  return at(stage, 'GET /limited', lines, { route: 'main GET /limited', tokenId: id });
}

async function activationsFull(stage: Stage): Promise<Reached> {
  const ask = () =>
    withBody(stage, 'POST /probes', 'application/json', '{"label_pattern":"*","ttl_seconds":60}');
  const first = await ask();
  if (first.answer.status !== 201) throw new Error(`the first of one gets ${first.answer.status}`);
  return ask();
}

/** The file vanishes under the open connection; it is put back, and tokens work again. */
async function storeUnavailable(stage: Stage): Promise<Reached> {
  const { tokens } = stage.gateway.running;
  const file = join(stage.gateway.folder, 'data/postern.db');
  const { token } = await stage.gateway.mint('item', reads);
  const lines = [`Authorization: Bearer ${token}`];
  renameSync(file, `${file}.away`);
  tokens.health();
  const reached = await at(stage, 'GET /items', lines, { route: 'main GET /items' });
  renameSync(`${file}.away`, file);
  tokens.health();
  const again = await at(stage, 'GET /items', lines);
  if (again.answer.status !== 200) throw new Error(`after the fault it gets ${again.answer.status}`);
  stage.upstream.seen.length = 0;
  return reached;
}

/** Wrong tokens with the right first characters, all at once: one is compared, the others are told to wait. */
async function verifierBusy({ poor }: Stage): Promise<Reached> {
  const { token } = await poor.mint('old');
  const wrong = ['a', 'b', 'c'].map((end) => `Authorization: Bearer ${token.slice(0, -8)}${end.repeat(8)}`);
  const answers = await Promise.all(wrong.map((line) => ask(poor.port, requestBytes('GET /items', [line]))));
  const busy = answers.find(({ status }) => status === 503);
  if (busy === undefined) throw new Error(`nobody waits: ${answers.map(({ status }) => status)}`);
  return { gateway: poor, answer: busy, route: 'main GET /items' };
}

/** Asks for /raw and leaves it unanswered. Resolves when it is at the upstream. */
async function hold(
  raw: RawUpstream,
  port: number,
): Promise<{ release: () => void; held: Promise<ReadAnswer> }> {
  const arrived = new Promise<() => void>((resolve) => {
    raw.answer = (socket) => resolve(() => socket.write(emptyAnswer));
  });
  const held = ask(port, requestBytes('GET /raw'));
  return { release: await arrived, held };
}

async function overloaded({ poor, raw }: Stage): Promise<Reached> {
  const { release, held } = await hold(raw, poor.port);
  const answer = await ask(poor.port, requestBytes('GET /raw'));
  release();
  if ((await held).status !== 200) throw new Error('the first one was refused');
  return { gateway: poor, answer, route: 'main GET /raw' };
}

/** A head that began to arrive while we served and ended when we had closed. */
async function draining({ yaml, raw }: Stage): Promise<Reached> {
  const gateway = await startTestGateway(yaml);
  const late = connect({ port: gateway.port, host: '127.0.0.1' });
  late.write('GET /items HTTP/1.1\r\n');
  const { release, held } = await hold(raw, gateway.port);
  const stopped = gateway.stop();
  await vi.waitUntil(() => gateway.running.life.phase === 'closing', patiently);
  late.write('Host: gate\r\n\r\n');
  let text = '';
  late.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await once(late, 'close');
  release();
  const before = await held;
  if (before.status !== 200) throw new Error(`the request under way gets ${before.status}`);
  await stopped;
  const [answer] = readAnswers(text);
  if (answer === undefined) throw new Error('no answer');
  return { gateway, answer };
}
