/**
 * A made-up request on the real walk: what the wire would answer, without a socket, a store or a
 * counter. `explain` and fixtures both ask here. Never decides anything by itself.
 */
import { METHODS } from 'node:http';
import { assertionClaims } from '../policy/assertion.ts';
import { denied } from '../policy/denial.ts';
import type { ErrorStyle } from '../policy/error-style.ts';
import { styleOf } from '../policy/host-style.ts';
import { identityFields } from '../policy/identity.ts';
import { formatObserve } from '../policy/rule-text.ts';
import type { ServeOperation } from '../policy/serve-types.ts';
import type { AttributeValue, TokenRecord, TokenType } from '../policy/token-types.ts';
import type { Denial, Permit, Policy } from '../policy/types.ts';
import type { PinKey, PinRecord, PinStore } from '../store/pin-store.ts';
import { checksumOf } from '../store/token-format.ts';
import type { Field } from './answer.ts';
import { expectsMore, type Head } from './head.ts';
import { type RefusalCode, statusOf } from './refusals.ts';
import { rehearsedLimiter } from './rehearsal-limits.ts';
import { readFacts, wordingHost } from './request.ts';
import type { TriggerKeys } from './trigger.ts';
import { type Rooms, type Ruling, walk } from './walk.ts';

/** Who asks: a token of this type, made up unless `record` is one of a store. */
export type Persona = {
  readonly type: TokenType;
  /** What a grantable type was granted; null: nothing. A type with fixed scopes always has those. */
  readonly scopes: readonly string[] | null;
  /** Required attributes that are left out get the value `fixture`. */
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** What it is pinned to, in their one spelling; absent or empty: to no origin. */
  readonly origins?: readonly string[];
  /** As it is: what it may do, and whether it is alive. Absent: it is made up. */
  readonly record?: TokenRecord;
};

export type MadeUpRequest = {
  readonly method: string;
  readonly target: string;
  /** Without Host, the host is one under which the path has a row. */
  readonly headers: readonly Field[];
  /** null or absent: none. Its length comes by itself, and so does `application/json` where no Content-Type is written. */
  readonly body?: Uint8Array | null;
  /** What is pinned, by the pin's name, for whoever asks; everything else is not pinned yet. */
  readonly pinned?: ReadonlyMap<string, string>;
  /** Where pins that `pinned` does not name are read; absent: they are not pinned yet. */
  readonly pins?: Pick<PinStore, 'read'> | null;
  /** The caller's address, canonical; null or absent: 127.0.0.1. */
  readonly from?: string | null;
  /** Which of the same requests in a row it is, by the same caller at the same moment; null or absent: limits are free. */
  readonly nth?: number | null;
  /** null: nobody; what stands in `headers` is then of no token we know. */
  readonly as: Persona | null;
};

export type Step = { readonly step: string; readonly ok: boolean; readonly detail: string };

/** As `explain --json` prints it. */
export type Rehearsal = {
  /** `serve`: answered here, as a preflight is. */
  readonly outcome: 'forward' | 'refuse' | 'serve';
  /** null: the upstream's to say. */
  readonly status: number | null;
  /** The exact code, where the caller may see a vaguer one. */
  readonly code: RefusalCode | null;
  /** Id of the row, where one was chosen. */
  readonly row: string | null;
  readonly upstream: string | null;
  /** Header names and values the upstream would be told. */
  readonly identity: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
};

/**
 * Limits count as untouched but for `nth`: a cost that never fits is refused. The failure budget is untouched too,
 * a made-up token is alive, and nothing is pinned by it.
 *
 * @param now Unix ms: what is in monitor mode until later only watches. Infinity: all is enforced.
 * @param triggerKeys of signed tokens; without its key none is right.
 */
export async function rehearse(
  policy: Policy,
  request: MadeUpRequest,
  now: number = Date.now(),
  triggerKeys: TriggerKeys = noKeys,
): Promise<Rehearsal> {
  const steps: Step[] = [];
  const trace = (step: string, ok: boolean, detail: string) => void steps.push({ step, ok, detail });
  const token =
    request.as === null || request.as.type.verify === 'upstream' ? null : recordOf(request.as, now);
  trace('caller', true, describe(request.as, token));
  const { head, plaintext } = headOf(policy, request);

  const atDoor = refusedByParser(head);
  if (atDoor !== null) {
    trace('request', false, atDoor.reason);
    return refusal(atDoor, policy.styleFor(atDoor.host), null, steps);
  }
  const facts = readFacts(head, 'rehearsal');
  if (!facts.ok) {
    trace('request', false, facts.denial.reason);
    return refusal(facts.denial, policy.styleFor(wordingHost(head)), null, steps);
  }
  trace('request', true, `${head.method} ${facts.value.path} at host ${facts.value.host}`);
  const rooms = { ...roomsOf(policy, request, token, plaintext, now), triggerKeys };
  return resultOf(policy, facts.value.host, await walk(head, facts.value, rooms, trace), steps);
}

const noKeys: TriggerKeys = new Map();
/** Answered 201 here. */
const madeHere: ReadonlySet<ServeOperation> = new Set(['token.create', 'probe.activate']);

function resultOf(policy: Policy, host: string, ruling: Ruling, steps: readonly Step[]): Rehearsal {
  switch (ruling.kind) {
    case 'refuse': {
      const { denial, route, rows } = ruling;
      return refusal(denial, styleOf(policy, host, denial, route, rows), route?.id ?? null, steps);
    }
    case 'own':
      return { outcome: 'serve', status: 200, code: null, row: null, upstream: null, identity: {}, steps };
    case 'preflight':
      return { outcome: 'serve', status: 204, code: null, row: null, upstream: null, identity: {}, steps };
    case 'serve': {
      const { route } = ruling.permit;
      const status = madeHere.has(ruling.serving.rule.operation) ? 201 : 200;
      return { outcome: 'serve', status, code: null, row: route.id, upstream: null, identity: {}, steps };
    }
    case 'forward': {
      const { permit } = ruling;
      const rule = policy.identity.assertion;
      const claims = rule === null ? null : assertionClaims(rule, permit);
      const signed: Step[] =
        claims === null ? [] : [{ step: 'assertion', ok: true, detail: `signed: ${JSON.stringify(claims)}` }];
      return {
        outcome: 'forward',
        status: null,
        code: null,
        row: permit.route.id,
        upstream: permit.route.upstream,
        identity: Object.fromEntries(identityFields(policy.identity, permit)),
        steps: [...steps, ...signed, ...observing(permit)],
      };
    }
  }
}

/** What no rehearsal can say: it depends on the answer. */
function observing({ observing }: Permit): readonly Step[] {
  const entries = observing?.rule.entries ?? [];
  return entries.map((entry) => ({ step: 'observe', ok: true, detail: `on a 2xx: ${formatObserve(entry)}` }));
}

function refusal(
  denial: Pick<Denial, 'status'> & { readonly code: RefusalCode },
  style: ErrorStyle | null,
  row: string | null,
  steps: readonly Step[],
): Rehearsal {
  const { code } = denial;
  const worded: Step[] =
    style === null ? [] : [{ step: 'wording', ok: true, detail: `in error style ${style.name}` }];
  return {
    outcome: 'refuse',
    status: statusOf(code, denial, style),
    code,
    row,
    upstream: null,
    identity: {},
    steps: [...steps, ...worded],
  };
}

/** What node's parser and server refuse before anything of ours is asked. */
function refusedByParser(head: Head): { code: RefusalCode; reason: string; host: string | null } | null {
  if (head.method === 'CONNECT' || !METHODS.includes(head.method)) {
    return { code: 'request_malformed', reason: 'a method that no server of ours reads', host: null };
  }
  if (!/^(?:[/*]|[A-Za-z]+:\/\/)[\x21-\x7e]*$/.test(head.target)) {
    return {
      code: 'request_malformed',
      reason: 'a target that is no path, or holds more than printable ASCII',
      host: null,
    };
  }
  if (!expectsMore(head.rawHeaders)) return null;
  const reason = 'Expect asks for more than 100-continue';
  return { code: 'expectation_failed', reason, host: wordingHost(head) };
}

/** Rooms in which the one made-up token is known, and nobody else is about. */
function roomsOf(
  policy: Policy,
  { body, pinned, pins, nth }: MadeUpRequest,
  token: TokenRecord | null,
  known: string | null,
  now: number,
): Omit<Rooms, 'triggerKeys'> {
  const record = (key: PinKey, value: string): PinRecord => ({
    ...key,
    value,
    pinnedAt: 0,
    pinnedBy: 'rehearsal',
    version: 1,
  });
  return {
    policy,
    tokens: {
      find: (plaintext, types) =>
        plaintext === known && types.some(({ name }) => name === token?.type) ? token : null,
      verifiedBefore: () => false,
    },
    limiter: rehearsedLimiter(nth ?? 1),
    failures: null,
    body: (_route, { bytesMax }) => {
      const value = body ?? new Uint8Array();
      if (value.length <= bytesMax) return Promise.resolve({ ok: true, value });
      return Promise.resolve(denied('body_too_large', `chunked body grew over ${bytesMax} bytes`));
    },
    pins: {
      read: (key) => {
        const value = pinned?.get(key.pin);
        return value === undefined ? (pins?.read(key) ?? null) : record(key, value);
      },
      pinFirst: (key, value) => Promise.resolve({ pin: record(key, value), isFirst: true }),
    },
    now: () => now,
  };
}

function recordOf({ type, scopes, attributes, origins = [], record }: Persona, now: number): TokenRecord {
  if (record !== undefined) return record;
  return {
    id: 'tok_rehearsal',
    type: type.name,
    label: 'rehearsal',
    preview: `${type.prefix}...`,
    scopes: 'fixed' in type.scopes ? type.scopes.fixed : (scopes ?? []),
    attributes: filled(type, attributes),
    origins,
    externalId: null,
    createdAt: 0,
    createdBy: 'rehearsal',
    notBefore: null,
    expiresAt: null,
    lastUsedAt: now,
    rotatedTo: null,
    retireAt: null,
    disabledAt: null,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    version: 1,
  };
}

function filled(
  type: TokenType,
  given: ReadonlyMap<string, AttributeValue>,
): ReadonlyMap<string, AttributeValue> {
  const all = new Map(given);
  for (const [name, rule] of type.attributes) {
    if (rule.required && !all.has(name)) all.set(name, rule.list ? ['fixture'] : 'fixture');
  }
  return all;
}

function describe(as: Persona | null, token: TokenRecord | null): string {
  if (as?.type.verify === 'upstream') {
    return `whoever sends what looks like a token of type ${as.type.name}, which only the upstream can verify`;
  }
  if (as === null || token === null) return 'nobody: no token is made up';
  const what = as.record === undefined ? 'a made-up token' : `the token ${token.id}`;
  const words = [`${what} of type ${token.type}`, `scopes: ${token.scopes.join(' ') || 'none'}`];
  for (const [name, value] of token.attributes) {
    const note = as.attributes.has(name) || as.record !== undefined ? '' : ' (filled in)';
    words.push(`${name}: ${typeof value === 'string' ? value : value.join(', ')}${note}`);
  }
  if (token.origins.length > 0) words.push(`origins: ${token.origins.join(' ')}`);
  return words.join('; ');
}

/** The head as it would come off the wire, with the placeholder where the type's tokens stand. */
function headOf(policy: Policy, request: MadeUpRequest): { head: Head; plaintext: string | null } {
  const { method, headers, as, from } = request;
  const plaintext = as === null ? null : placeholderOf(policy, as.type);
  const credential: Field[] = [];
  let { target } = request;
  const source = as?.type.sources[0];
  if (plaintext !== null && source !== undefined) {
    if (source.kind === 'bearer') credential.push(['Authorization', `Bearer ${plaintext}`]);
    if (source.kind === 'header') credential.push([source.name, plaintext]);
    if (source.kind === 'cookie') credential.push(['Cookie', `${source.name}=${plaintext}`]);
    if (source.kind === 'query') {
      target += `${target.includes('?') ? '&' : '?'}${source.name}=${encodeURIComponent(plaintext)}`;
    }
  }
  const hostGiven = headers.some(([name]) => name.toLowerCase() === 'host');
  const host: Field[] = hostGiven ? [] : [['Host', likelyHost(policy, request)]];
  const rawHeaders = [...host, ...headers, ...bodyFields(request), ...credential].flat();
  return { head: { method, target, httpVersion: '1.1', rawHeaders, peer: from ?? '127.0.0.1' }, plaintext };
}

function bodyFields({ headers, body }: MadeUpRequest): readonly Field[] {
  if (body === null || body === undefined) return [];
  const isGiven = (name: string) => headers.some(([given]) => given.toLowerCase() === name);
  const fields: Field[] = [];
  if (!isGiven('content-length') && !isGiven('transfer-encoding'))
    fields.push(['Content-Length', String(body.length)]);
  if (!isGiven('content-type')) fields.push(['Content-Type', 'application/json']);
  return fields;
}

/** As long as a minted token, and sorted by its prefix to no other type. */
function placeholderOf({ prefixes }: Policy, type: TokenType): string {
  const start = type.format === 'id_pipe_random' ? '1|' : type.prefix;
  const texts = ['x', '0', 'Z'].map((filler) => {
    const text = start + filler.repeat(type.issue.length);
    return type.checksum === true ? text + checksumOf(text) : text;
  });
  const own = texts.find((text) => {
    const claimed = prefixes.find(({ prefix }) => text.startsWith(prefix));
    return claimed === undefined || claimed.type?.name === type.name;
  });
  return own ?? texts[0] ?? start;
}

/** The host of the first row that has the method and path, else the path, else of the first row. */
function likelyHost({ routes, find }: Policy, { method, target }: MadeUpRequest): string {
  const path = target.split('?', 1)[0] ?? target;
  const asked = method === 'HEAD' ? 'GET' : method;
  const hosts = [...new Set(routes.map((route) => route.hosts[0] ?? 'localhost'))];
  return (
    hosts.find((host) => find(host, path).some(({ route }) => route.method === asked)) ??
    hosts.find((host) => find(host, path).length > 0) ??
    hosts[0] ??
    'localhost'
  );
}
