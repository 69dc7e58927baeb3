/** Networks as RFC 4632 §3.1 and RFC 4291 §2.3 write them, and whether an address lies in one. */
import { canonicalAddress, groupsOf } from './address.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import type { Network } from './types.ts';

/** `203.0.113.0/24`, `2001:db8::/32`. Exact: no host bits, no v4 inside v6, no network without length. */
export function parseNetwork(text: string): Parsed<Network> {
  const [, address = '', length = ''] = /^([0-9A-Fa-f:.]+)\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? [];
  if (address.includes(':') && address.includes('.')) return v4InV6(text);
  const groups = groupsOfAddress(address);
  if (groups === null) return unreadable(`"${text}" is not a network`, notNetworkHint(text));
  const width = groups.length * 16;
  const bits = Number(length);
  if (bits > width) {
    return unreadable(`"${text}" has a length over ${width}`, `write /${width} for one address`);
  }
  if (width === 128 && bits >= 96 && isMapped(groups)) return v4InV6(text);
  const base = groups.map((group, index) => group & maskOf(bits, index));
  if (base.some((group, index) => group !== groups[index])) {
    const hint = `write ${formatNetwork({ groups: base, bits })}, or ${address}/${width} for one address`;
    return unreadable(`"${text}" has bits set beyond its length`, hint);
  }
  return parsed({ groups: base, bits });
}

/** One address, in the spelling callers are known by. */
export function parseAddress(text: string): Parsed<string> {
  if (groupsOfAddress(text) !== null) return parsed(canonicalAddress(text));
  return unreadable(`"${text}" is not an address`, 'write one address: 203.0.113.7 or 2001:db8::7');
}

/** @param address canonical; what is no address lies in no network. */
export function isInOneOf(networks: readonly Network[], address: string): boolean {
  const groups = groupsOfAddress(address);
  return groups !== null && networks.some((network) => contains(network, groups));
}

/** Whether some address lies in both. */
export function overlap(one: Network, other: Network): boolean {
  return one.bits <= other.bits ? contains(one, other.groups) : contains(other, one.groups);
}

/** The family counts: no v6 network holds a v4 address. */
function contains({ groups: base, bits }: Network, groups: readonly number[]): boolean {
  if (base.length !== groups.length) return false;
  return base.every((group, index) => group === ((groups[index] ?? 0) & maskOf(bits, index)));
}

/** Sixteen-bit groups: two of a v4 address, eight of a v6 one; null: neither. */
function groupsOfAddress(text: string): readonly number[] | null {
  if (text.includes(':')) return groupsOf(text);
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1) ?? [];
  const [a, b, c, d] = parts.map(Number);
  if (a === undefined || b === undefined || c === undefined || d === undefined) return null;
  // Leading zeros are octal to some readers.
  if (parts.some((part) => Number(part) > 255 || String(Number(part)) !== part)) return null;
  return [(a << 8) | b, (c << 8) | d];
}

/** Which bits of the group at this index belong to a network of this length. */
function maskOf(bits: number, index: number): number {
  const own = Math.min(16, Math.max(0, bits - index * 16));
  return (0xffff << (16 - own)) & 0xffff;
}

function isMapped(groups: readonly number[]): boolean {
  return groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
}

/** As the config writes it. */
export function formatNetwork({ groups, bits }: Network): string {
  return `${formatGroups(groups)}/${bits}`;
}

function formatGroups(groups: readonly number[]): string {
  if (groups.length === 2) return groups.flatMap((group) => [group >> 8, group & 255]).join('.');
  const text = groups.map((group) => group.toString(16)).join(':');
  return text.replace(/(?:^0|:0)(?::0)+$/, '::');
}

function v4InV6(text: string): ReturnType<typeof unreadable> {
  const hint = 'write it as v4, 203.0.113.0/24: v4 callers are known by their v4 address';
  return unreadable(`"${text}" is a v4 network in v6 spelling`, hint);
}

function notNetworkHint(text: string): string {
  const groups = groupsOfAddress(text);
  if (groups !== null) return `for this address alone write ${text}/${groups.length * 16}`;
  return 'write ADDRESS/LENGTH: 203.0.113.0/24 or 2001:db8::/32';
}
