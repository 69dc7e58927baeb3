/**
 * What proxies before us say of the caller, believed only as far as whoever says it is trusted. Read from the
 * right: each trusted hop vouches for the one it heard from. What stands left of the first hop nobody vouches for
 * is the caller's own claim, and goes no further.
 */
import { isIP } from 'node:net';
import { canonicalAddress } from '../policy/address.ts';
import { isInOneOf } from '../policy/cidr.ts';
import { parseHost } from '../policy/path.ts';
import type { Network } from '../policy/types.ts';
import { fieldValues, type Head } from './head.ts';

export type Hops = {
  /** From the caller to the peer that connected, canonical; at least one. The first is whom everything counts by. */
  readonly chain: readonly [caller: string, ...string[]];
  /** How the caller reached the first proxy. */
  readonly proto: 'http' | 'https';
  /** The Host the caller asked for; null: what Host says. */
  readonly host: string | null;
  /** The id the proxy gave this request; null: it gave none that may stand in a log. */
  readonly requestId: string | null;
};

/** More hops than any chain of proxies has; what is further left is not looked at. */
const hopsMax = 32;

/** null: the peer is not trusted, so it is the caller, and whatever it says of others is nothing. */
export function readHops(
  { rawHeaders, peer }: Pick<Head, 'rawHeaders' | 'peer'>,
  trusted: readonly Network[],
): Hops | null {
  if (trusted.length === 0) return null;
  const nearest = canonicalAddress(peer);
  if (!isInOneOf(trusted, nearest)) return null;
  const proto = soleValue(rawHeaders, 'x-forwarded-proto');
  const host = soleValue(rawHeaders, 'x-forwarded-host');
  const requestId = soleValue(rawHeaders, 'x-request-id');
  return {
    chain: chainFrom(nearest, fieldValues(rawHeaders, 'x-forwarded-for'), trusted),
    proto: proto === 'https' ? 'https' : 'http',
    host: host !== null && parseHost(host) !== null ? host : null,
    requestId: requestId !== null && /^[A-Za-z0-9-]{8,64}$/.test(requestId) ? requestId : null,
  };
}

/** Where the caller is: the peer, or whom a trusted proxy heard from. Anybody else may write what they like. */
export function callerOf(head: Pick<Head, 'rawHeaders' | 'peer'>, trusted: readonly Network[]): string {
  return readHops(head, trusted)?.chain[0] ?? head.peer;
}

/** RFC 9110 §5.3: several fields are one list. */
function chainFrom(nearest: string, fields: readonly string[], trusted: readonly Network[]): Hops['chain'] {
  let chain: Hops['chain'] = [nearest];
  const told = fields.flatMap((field) => field.split(','));
  while (chain.length < hopsMax && isInOneOf(trusted, chain[0])) {
    const address = addressOf(told.pop());
    if (address === null) break;
    chain = [address, ...chain];
  }
  return chain;
}

/** `192.0.2.1`, `2001:db8::1`, and both with a port; null: no address, so whoever wrote it is the last we know. */
function addressOf(text: string | undefined): string | null {
  const entry = text?.trim() ?? '';
  const [, inBrackets] = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(entry) ?? [];
  const [, beforePort] = /^([\d.]+):\d{1,5}$/.exec(entry) ?? [];
  const address = inBrackets ?? beforePort ?? entry;
  return isIP(address) === 0 ? null : canonicalAddress(address);
}

/** The value of a field that is there exactly once; a list is several. */
function soleValue(rawHeaders: readonly string[], name: string): string | null {
  const [value, second] = fieldValues(rawHeaders, name);
  return value === undefined || second !== undefined ? null : value;
}
