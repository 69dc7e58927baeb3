/** Client addresses in one spelling, so that one client cannot look like many. */

const mapped = /^::ffff:(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})$/i;

/** An address as the socket gave it; v4-mapped v6 in any spelling becomes v4, zone ids go. */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  const plain = mapped.exec(address)?.[1];
  if (plain !== undefined) return plain;
  const zone = address.indexOf('%');
  const text = zone === -1 ? address : address.slice(0, zone);
  const groups = groupsOf(text);
  return (groups === null ? null : mappedV4(groups)) ?? text;
}

/**
 * What limits and budgets count by: a v4 address whole (mapped or not), a v6 address by its /64
 * (one customer owns all of it). Shorter prefixes would put strangers in one bucket.
 * What is no address stays as it is.
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const groups = groupsOf(address.replace(/[%/].*$/, ''));
  if (groups === null) return address;
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return mappedV4(groups) ?? `${network.join(':')}::/64`;
}

/** The first three groups of a v6 address that spells them out shortly, as sockets do. */
const siteOfV6 = /^([1-9a-f][0-9a-f]{0,3}(?::(?:0|[1-9a-f][0-9a-f]{0,3})){2}):[0-9a-f:]+$/;

/**
 * The neighbourhood that an address is in: /24 of v4, /48 of v6 (what one site is given, RFC 6177). What is no address
 * stays as it is.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) {
    const end = address.lastIndexOf('.');
    return end === -1 ? address : `${address.slice(0, end)}.0/24`;
  }
  const site = siteOfV6.exec(address)?.[1];
  if (site !== undefined) return `${site}::/48`;
  const groups = groupsOf(address.replace(/[%/].*$/, ''));
  if (groups === null) return address;
  const v4 = mappedV4(groups);
  if (v4 !== null) return networkOf(v4);
  const network = groups.slice(0, 3).map((group) => group.toString(16));
  return `${network.join(':')}::/48`;
}

/** The eight numbers of a v6 address (RFC 4291 §2.2); null: it is none. */
export function groupsOf(address: string): readonly number[] | null {
  const dotted = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  const text = dotted === null ? address : `${dotted[1]}${hexPair(dotted.slice(2).map(Number))}`;
  const [left = '', right, extra] = text.split('::');
  if (extra !== undefined) return null;
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const gap = 8 - before.length - after.length;
  if (right === undefined ? gap !== 0 : gap < 1) return null;
  const groups = [...before, ...Array<string>(gap).fill('0'), ...after];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return groups.map((group) => Number.parseInt(group, 16));
}

function hexPair([a = 0, b = 0, c = 0, d = 0]: readonly number[]): string {
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** The v4 address that `::ffff:0:0/96` holds (RFC 4291 §2.5.5.2); null: another address. */
function mappedV4(groups: readonly number[]): string | null {
  const [a, b, c, d, e, f, high = 0, low = 0] = groups;
  if (a || b || c || d || e || f !== 0xffff) return null;
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
