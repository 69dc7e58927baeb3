/**
 * The header sections that leave us, built from nothing: what may pass is copied, then ours is
 * stamped, once each, last. There is no order in which a client's field could win.
 */
import { overridingNames } from '../policy/config-headers.ts';
import { foldName, identityFields, isReserved } from '../policy/identity.ts';
import type { IdentityRule, Permit, Policy } from '../policy/types.ts';
import type { Field } from './answer.ts';
import { corsFields, mergedVary } from './cors.ts';
import type { Cut } from './credential.ts';
import { cutFromCookie } from './credential-cookie.ts';
import type { Hops } from './forwarded.ts';
import { rateLimitFields } from './ratelimit-fields.ts';

/** What happens to a client's field of a given name. */
type Fate = 'pass' | 'drop' | 'cookie' | 'via';

/** RFC 9110 §7.6.1, and what frames or steers this hop only. */
const perHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
  'host',
  'content-length',
]);

const passable = /^[A-Za-z0-9-]+$/;

/** Decides a name's fate once; header names repeat from request to request. */
export class HeaderRules {
  readonly #identity: IdentityRule;
  readonly #fates = new Map<string, Fate>();
  readonly #returns = new Map<string, boolean>();

  constructor(identity: IdentityRule) {
    this.#identity = identity;
  }

  fate(name: string): Fate {
    const known = this.#fates.get(name);
    if (known !== undefined) return known;
    const fate = this.#judge(name);
    if (this.#fates.size < 2000 && name.length < 65) this.#fates.set(name, fate);
    return fate;
  }

  #judge(name: string): Fate {
    const lower = name.toLowerCase();
    if (!passable.test(name) || perHop.has(lower)) return 'drop';
    if (overridingNames.has(lower) || lower.startsWith('x-forwarded')) return 'drop';
    if (isReserved(this.#identity, name)) return 'drop';
    if (lower === 'cookie') return 'cookie';
    return lower === 'via' ? 'via' : 'pass';
  }

  /** Whether an upstream's answer may carry this field. */
  mayReturn(name: string): boolean {
    const known = this.#returns.get(name);
    if (known !== undefined) return known;
    const lower = name.toLowerCase();
    const may = !perHop.has(lower) && foldName(name) !== 'x-request-id' && !isReserved(this.#identity, name);
    if (this.#returns.size < 2000 && name.length < 65) this.#returns.set(name, may);
    return may;
  }
}

export type Outgoing = {
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
  readonly permit: Permit;
  readonly cut: Cut;
  /** What trusted proxies said; null: the peer is the caller. */
  readonly hops: Hops | null;
  readonly policy: Policy;
  /** null: none. */
  readonly assertion: Field | null;
  readonly rules: HeaderRules;
  /** Host for the upstream; null: the caller's own, as it was sent. */
  readonly host: string | null;
  /** null: chunked or none. */
  readonly contentLength: number | null;
};

/** Names and values in turn, ready for the upstream client. */
export function outgoingHeaders(out: Outgoing): string[] {
  const { rawHeaders, permit, cut, rules } = out;
  const headers: string[] = ['Host', out.host ?? ''];
  const nominated = nominatedBy(rawHeaders);
  let clientHost = '';
  let via = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const value = rawHeaders[i + 1] ?? '';
    const fate = rules.fate(name);
    if (fate === 'drop') {
      if (name.length === 4 && name.toLowerCase() === 'host') clientHost = value;
      continue;
    }
    const lower = name.toLowerCase();
    if (cut.fields.has(lower) || nominated?.has(lower)) continue;
    if (fate === 'via') via += `${value}, `;
    else if (fate === 'cookie' && cut.cookies.size > 0) {
      const kept = cutFromCookie(value, cut.cookies);
      if (kept !== null) headers.push(name, kept);
    } else headers.push(name, value);
  }
  if (out.host === null) headers[1] = clientHost;
  const { address, requestId } = permit.facts;
  const forwardedHost = out.hops?.host ?? clientHost;
  const proto = out.hops?.proto ?? 'http';
  headers.push(
    'X-Forwarded-For',
    out.hops === null ? address : out.hops.chain.join(', '),
    'X-Forwarded-Proto',
    proto,
    'X-Forwarded-Host',
    forwardedHost,
    'Forwarded',
    `for=${nodeOf(address)};host="${forwardedHost}";proto=${proto}${furtherHops(out.hops)}`,
    'Via',
    `${via}${out.httpVersion} postern`,
    'X-Request-Id',
    requestId,
  );
  for (const [name, value] of identityFields(out.policy.identity, permit)) headers.push(name, value);
  if (out.assertion !== null) headers.push(...out.assertion);
  if (out.contentLength !== null) headers.push('Content-Length', String(out.contentLength));
  return headers;
}

/** RFC 7239 §6: a v6 address stands in brackets, and so in quotes. */
function nodeOf(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}

/** The proxies the request came through, nearest to the caller first. */
function furtherHops(hops: Hops | null): string {
  if (hops === null) return '';
  const [, ...proxies] = hops.chain;
  return proxies.map((address) => `, for=${nodeOf(address)}`).join('');
}

/** Names that Connection declares to be for this hop only, which no upstream is sent; null: none. */
export function nominatedBy(rawHeaders: readonly string[]): Set<string> | null {
  let names: Set<string> | null = null;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    const value = (rawHeaders[i + 1] ?? '').toLowerCase();
    if (value === 'keep-alive' || value === 'close') continue;
    names ??= new Set();
    for (const token of value.split(',')) names.add(token.trim());
  }
  return names;
}

export type Incoming = {
  /** As the upstream sent them, names and values in turn. */
  readonly raw: readonly string[];
  readonly permit: Permit;
  readonly rules: HeaderRules;
};

/** The header section of a passed-on answer. Framing is left to the caller. */
export function returnedHeaders({ raw, permit, rules }: Incoming): string[] {
  const { route, facts, states } = permit;
  const headers: string[] = [];
  const limitFields = states.length === 0 ? [] : rateLimitFields(states);
  const nominated = nominatedBy(raw);
  const vary: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (!rules.mayReturn(name) || nominated?.has(lower)) continue;
    if (limitFields.length > 0 && (lower === 'ratelimit' || lower === 'ratelimit-policy')) continue;
    if (route.cors !== null && lower.startsWith('access-control-')) continue;
    if (route.cors !== null && lower === 'vary') vary.push(value);
    else headers.push(name, value);
  }
  for (const [name, value] of rowFields(permit, limitFields)) headers.push(name, value);
  if (route.cors !== null) headers.push('Vary', mergedVary(vary));
  headers.push('X-Request-Id', facts.requestId);
  return headers;
}

function rowFields(permit: Permit, limitFields: readonly Field[]): readonly Field[] {
  const cors = corsFields(permit.route.cors, permit.facts.origin);
  return cors.length === 0 ? limitFields : [...limitFields, ...cors];
}
