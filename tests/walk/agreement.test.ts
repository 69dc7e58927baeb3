/** `explain` and the wire are one mind: the same requests, asked of both, get the same answer. */
import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Field } from '../../gateway/answer.ts';
import { type Rehearsal, rehearse } from '../../gateway/rehearsal.ts';
import type { AttributeValue, TokenType } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { KeepAlive, type WireAnswer } from '../fixtures/keep-alive.ts';
import { type Chance, chanceOf } from '../fixtures/random.ts';
import { type Seen, startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { fuzz } from '../support/fuzz.ts';
import { agreementConfig, triggerSecret } from './agreement-config.ts';
import { type RandomRequest, randomRequest } from './agreement-requests.ts';

type Holder = {
  readonly id: string;
  readonly plaintext: string;
  readonly type: TokenType;
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
};

/** What either side says of a request, in one shape. */
type Verdict = {
  readonly outcome: 'forward' | 'refuse' | 'serve';
  readonly status: number | null;
  readonly code: string | null;
  readonly row: string | null;
  /** What the upstream was told about the caller. */
  readonly identity: Readonly<Record<string, string>>;
};

/** The row that cuts its bodies. */
const relay = 'open POST /relay';
const { numRuns, seed = Date.now() % 2 ** 32 } = fuzz(10_000);
const connections = 8 * availableParallelism();

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
let policy: Policy;
let holders: readonly Holder[];

beforeAll(async () => {
  process.env.AGREEMENT_PROBE_KEY = triggerSecret;
  upstream = await startUpstream();
  gateway = await startTestGateway(agreementConfig(upstream.url));
  policy = gateway.running.config().policy;
  holders = await mintSome(chanceOf(seed + 1), 60);
});
afterAll(async () => {
  delete process.env.AGREEMENT_PROBE_KEY;
  await gateway.stop();
  await upstream.stop();
});

async function mintSome(chance: Chance, count: number): Promise<readonly Holder[]> {
  const minted: Holder[] = [];
  for (let i = 0; i < count; i++) {
    const type = chance.one([...policy.types.values()]);
    const most = chance.happens(0.6);
    const scopes =
      'fixed' in type.scopes ? [] : type.scopes.grantable.filter(() => most || chance.happens(0.4));
    const attributes = new Map<string, AttributeValue>();
    for (const [name, { required, list }] of type.attributes) {
      if (!required && chance.happens(0.3)) continue;
      const values = ['acme', 'globex', 'eu', 'u1', 'café'];
      attributes.set(name, list ? values.filter(() => chance.happens(0.5)) : chance.one(values.slice(0, 4)));
    }
    if (type.verify !== undefined) {
      const filler = 'abcdefghijklmnopqrstuvwxyz'.slice(i % 10);
      minted.push({ id: '', plaintext: `${type.prefix}${filler}`, type, scopes, attributes });
      continue;
    }
    const { id, token } = await gateway.mint(type.name, {
      scopes,
      attributes: Object.fromEntries(attributes),
    });
    minted.push({ id, plaintext: token, type, scopes, attributes });
  }
  return minted;
}

/** As `explain` would place it: at the type's first source, after all other fields. */
function onTheWire(request: RandomRequest): Buffer {
  const holder = request.token === null ? undefined : holders[request.token];
  const fields: Field[] = [...request.headers];
  let { target } = request;
  const source = holder?.type.sources[0];
  if (holder !== undefined && source !== undefined) {
    if (source.kind === 'bearer') fields.push(['Authorization', `Bearer ${holder.plaintext}`]);
    if (source.kind === 'header') fields.push([source.name, holder.plaintext]);
    if (source.kind === 'cookie') fields.push(['Cookie', `${source.name}=${holder.plaintext}`]);
    if (source.kind === 'query') {
      target += `${target.includes('?') ? '&' : '?'}${source.name}=${encodeURIComponent(holder.plaintext)}`;
    }
  }
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  // What is not ASCII leaves as UTF-8 in the target and as single bytes in fields, as clients do it.
  return Buffer.concat([
    Buffer.from(`${request.method} ${target} HTTP/1.1\r\n`, 'utf8'),
    Buffer.from(`${head}\r\n${request.body}`, 'latin1'),
  ]);
}

async function rehearsed(request: RandomRequest): Promise<Verdict> {
  const holder = request.token === null ? undefined : holders[request.token];
  const as = holder ?? null;
  const { triggerKeys } = gateway.running.config();
  const body = request.json === null ? null : Buffer.from(request.json);
  const said: Rehearsal = await rehearse(policy, { ...request, body, as }, Date.now(), triggerKeys);
  const identity = Object.fromEntries(
    Object.entries(said.identity).map(([name, value]) => [
      name.toLowerCase(),
      name === 'X-Postern-Token-Id' ? (holder?.id ?? '') : value,
    ]),
  );
  return { outcome: said.outcome, status: said.status, code: said.code, row: said.row, identity };
}

const seenById = new Map<string, Seen>();
const linesById = new Map<string, Record<string, unknown>>();

function index(): void {
  for (const seen of upstream.seen.splice(0)) seenById.set(String(seen.headers['x-request-id']), seen);
  for (const line of gateway.lines.splice(0)) linesById.set(String(line.requestId), line);
}

/** What the answer, the log and the upstream say together. */
function observed(answer: WireAnswer): Verdict {
  index();
  const id = answer.headers.get('x-request-id') ?? '';
  const seen = seenById.get(id);
  if (seen !== undefined) {
    const identity: Record<string, string> = {};
    for (let i = 0; i < seen.rawHeaders.length; i += 2) {
      const name = (seen.rawHeaders[i] ?? '').toLowerCase();
      if (!/^x[-_](?:postern|acme)/.test(name)) continue;
      if (name in identity) throw new Error(`${name} reached the upstream twice`);
      identity[name] = seen.rawHeaders[i + 1] ?? '';
    }
    const row = identity['x-postern-route'] ?? null;
    if (row === relay && /token/i.test(seen.body)) throw new Error(`not cut out: ${seen.body}`);
    return {
      outcome: 'forward',
      status: answer.status === 200 ? null : answer.status,
      code: null,
      row,
      identity,
    };
  }
  const line = linesById.get(id);
  const code = line?.code === undefined ? null : String(line.code);
  const row = line?.route === undefined ? null : String(line.route);
  const outcome = code === null && answer.status === 204 ? 'serve' : 'refuse';
  return { outcome, status: answer.status, code, row, identity: {} };
}

test(`explain and the wire give the same status, code, row and identity to ${numRuns} random requests`, async () => {
  expect(policy.routes.length).toBeGreaterThanOrEqual(40);
  const chance = chanceOf(seed);
  const types = holders.map(({ type }) => type.name);
  const disagreements: unknown[] = [];
  const outcomes = new Map<string, number>();
  let asked = 0;
  const client = async (): Promise<void> => {
    const connection = new KeepAlive(gateway.port);
    while (asked < numRuns) {
      asked++;
      const request = randomRequest(chance, policy.routes, types);
      const said = await rehearsed(request);
      const seen = await connection.ask(onTheWire(request)).then(observed, String);
      const kind = said.code ?? said.outcome;
      const kinds = [kind, `${said.status} ${kind}`, ...furtherKinds(request, said)];
      for (const name of kinds) outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
      if (JSON.stringify(sorted(said)) === JSON.stringify(sorted(seen))) continue;
      disagreements.push({ request, said, seen });
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, client));
  expect(disagreements.slice(0, 5), `${disagreements.length} disagreements, seed ${seed}`).toEqual([]);
  expectVariety(outcomes);
}, 60_000);

function furtherKinds({ token }: RandomRequest, { outcome, identity, row }: Verdict): readonly string[] {
  const handsOn = outcome === 'forward' && token !== null && holders[token]?.type.verify !== undefined;
  const isOpen = policy.routes.find(({ id }) => id === row)?.access === 'public';
  const annotated = 'x-postern-probe' in identity ? ['annotated'] : [];
  if (row === relay && outcome === 'forward') return ['relayed'];
  return handsOn && !isOpen ? ['handed on', ...annotated] : annotated;
}

/** An identity is a set; a text is an error. */
function sorted(verdict: Verdict | string): unknown {
  if (typeof verdict === 'string') return verdict;
  const { identity, ...rest } = verdict;
  return { ...rest, identity: Object.entries(identity).sort() };
}

/** Requests that all end alike would prove nothing. */
function expectVariety(outcomes: ReadonlyMap<string, number>): void {
  const share = (kind: string): number => (outcomes.get(kind) ?? 0) / numRuns;
  expect(share('forward')).toBeGreaterThan(0.1);
  for (const code of ['route_not_found', 'method_not_allowed', 'path_ambiguous', 'credential_missing']) {
    expect(share(code), code).toBeGreaterThan(0.02);
  }
  const rarer = ['serve', 'scope_missing', 'type_not_allowed', 'bind_mismatch', 'credential_malformed'];
  rarer.push('request_malformed', 'credential_ambiguous', 'token_unknown', 'cors_origin_not_allowed');
  rarer.push('body_too_large', 'csrf_invalid', 'address_not_allowed', 'origin_not_allowed');
  for (const code of rarer) expect(share(code), code).toBeGreaterThan(0.001);
  // As the error styles of some rows have it, and as it is without them.
  for (const kind of ['401 type_not_allowed', '403 type_not_allowed', '404 method_not_allowed']) {
    expect(share(kind), kind).toBeGreaterThan(0);
  }
  // As the apis of some hosts have it where there is no row.
  for (const kind of ['410 route_not_found', '404 route_not_found', '422 path_ambiguous']) {
    expect(share(kind), kind).toBeGreaterThan(0.001);
  }
  for (const kind of ['421 request_malformed', '400 request_malformed', '428 expectation_failed']) {
    expect(share(kind), kind).toBeGreaterThan(0);
  }
  for (const kind of ['400 cors_origin_not_allowed', '404 scope_missing', '401 bind_mismatch']) {
    expect(share(kind), kind).toBeGreaterThan(0);
  }
  for (const kind of ['annotated', 'handed on', 'relayed', 'body_malformed', 'body_encoding'])
    expect(share(kind), kind).toBeGreaterThan(0.001);
  for (const code of ['uri_too_long', 'expectation_failed']) expect(share(code), code).toBeGreaterThan(0);
}
