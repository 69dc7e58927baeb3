/**
 * The door: a head becomes `RequestFacts` or a refusal. Syntax, framing, Host and path are judged
 * here once; nothing after this file reads them again.
 */
import { randomUUID } from 'node:crypto';
import { canonicalAddress } from '../policy/address.ts';
import { denied } from '../policy/denial.ts';
import { parseHost, parseTarget } from '../policy/path.ts';
import type { Network, Outcome, RequestFacts } from '../policy/types.ts';
import { type Hops, readHops } from './forwarded.ts';
import { fieldValues, type Head } from './head.ts';

const fieldsMax = 100;

/** A request at the door: whom it is from, under which id, and what it asks. */
export type Arrival = {
  readonly requestId: string;
  readonly hops: Hops | null;
  readonly facts: Outcome<RequestFacts>;
};

export function readArrival(head: Head, trustedProxies: readonly Network[]): Arrival {
  const hops = readHops(head, trustedProxies);
  const requestId = hops?.requestId ?? randomUUID();
  return { requestId, hops, facts: readFacts(head, requestId, hops?.chain[0]) };
}

/**
 * @param requestId given by us or a trusted proxy, never by the caller.
 * @param address of the caller, as a trusted proxy told it; without one the peer is the caller.
 */
export function readFacts(
  head: Head,
  requestId: string,
  address = canonicalAddress(head.peer),
): Outcome<RequestFacts> {
  const flaw = flawInFraming(head);
  if (flaw !== null) return denied('request_malformed', flaw);
  if (head.rawHeaders.length > fieldsMax * 2) {
    return denied('header_too_large', `more than ${fieldsMax} header fields`);
  }
  const host = hostOf(head);
  if (host === null) return denied('request_malformed', 'not exactly one Host of the form host[:port]');
  const target = parseTarget(head.target);
  if (!target.ok) return target;
  const origins = fieldValues(head.rawHeaders, 'origin');
  if (origins.length > 1) return denied('request_malformed', 'more than one Origin');
  return {
    ok: true,
    value: {
      requestId,
      method: head.method,
      host,
      path: target.value.path,
      query: target.value.query,
      origin: origins[0] ?? null,
      address,
    },
  };
}

/** By whose host a refusal at the door is worded; null: nobody can tell, for the framing is in doubt or the Host is. */
export function wordingHost(head: Head): string | null {
  return flawInFraming(head) === null ? hostOf(head) : null;
}

/** Lower case, without port; null: not exactly one Host that everybody reads alike. */
function hostOf({ rawHeaders }: Head): string | null {
  const hosts = fieldValues(rawHeaders, 'host');
  return hosts.length === 1 ? hostName(hosts[0] ?? '') : null;
}

/** RFC 9112 §6: a message whose end two readers could place differently is refused. */
function flawInFraming({ httpVersion, rawHeaders }: Head): string | null {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'not HTTP/1.1 or HTTP/1.0';
  const lengths = fieldValues(rawHeaders, 'content-length');
  const codings = fieldValues(rawHeaders, 'transfer-encoding');
  if (lengths.length > 0 && codings.length > 0) return 'both Content-Length and Transfer-Encoding';
  if (lengths.length > 1) return 'more than one Content-Length';
  if (lengths[0] !== undefined && !/^[0-9]{1,15}$/.test(lengths[0])) return 'Content-Length is not a number';
  if (codings.length > 1) return 'more than one Transfer-Encoding';
  if (codings[0] !== undefined && codings[0].toLowerCase() !== 'chunked')
    return 'Transfer-Encoding is not chunked';
  if (codings.length > 0 && httpVersion === '1.0') return 'Transfer-Encoding in HTTP/1.0';
  return null;
}

const hostNames = new Map<string, string | null>();

/**
 * The name in a Host field; null: not `host[:port]`, or a name that URL parsers read differently
 * (`127.1`, `0x7f.1`, broken punycode). Hosts repeat, so verdicts are kept.
 */
function hostName(field: string): string | null {
  const known = hostNames.get(field);
  if (known !== undefined) return known;
  const name = parseHost(field);
  const url = `http://${field}`;
  const verdict = name !== null && URL.canParse(url) && new URL(url).hostname === name ? name : null;
  if (hostNames.size < 1000 && field.length < 256) hostNames.set(field, verdict);
  return verdict;
}
