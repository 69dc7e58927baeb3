import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalAddress } from '../../policy/address.ts';
import { checkAddressPin } from '../../policy/checks/address-pin.ts';
import { isInOneOf, parseNetwork } from '../../policy/cidr.ts';
import type { Network } from '../../policy/types.ts';
import { fuzz } from '../support/fuzz.ts';
import { factsOf, matchOf } from '../support/policy.ts';

function network(text: string): Network {
  const result = parseNetwork(text);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

const isIn = (networks: readonly string[], address: string) =>
  isInOneOf(networks.map(network), canonicalAddress(address));

type Family = 'ipv4' | 'ipv6';
type Sample = {
  readonly family: Family;
  readonly base: bigint;
  readonly bits: number;
  readonly near: bigint;
};

const widthOf = (family: Family) => (family === 'ipv4' ? 32 : 128);

function written(family: Family, value: bigint, compressed = false): string {
  if (family === 'ipv4') return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  const text = groups.join(':');
  return compressed ? text.replace(/(?:^0|:0)(?::0)+$/, '::') : text;
}

/** A network, and an address that differs from it in one bit or is anywhere. */
const sample: fc.Arbitrary<Sample> = fc
  .constantFrom<Family>('ipv4', 'ipv6')
  .chain((family) => {
    const width = widthOf(family);
    const value = fc.bigInt({ min: 0n, max: (1n << BigInt(width)) - 1n });
    return fc.record({
      family: fc.constant(family),
      value,
      bits: fc.nat({ max: width }),
      flip: fc.oneof(fc.constant(null), fc.nat({ max: width - 1 })),
      other: value,
    });
  })
  .map(({ family, value, bits, flip, other }) => {
    const rest = BigInt(widthOf(family) - bits);
    const base = (value >> rest) << rest;
    return { family, base, bits, near: flip === null ? other : base ^ (1n << BigInt(flip)) };
  })
  // What holds v4 addresses in v6 spelling is refused: they are known as v4.
  .filter(({ family, base }) => family === 'ipv4' || base >> 32n !== 0xffffn);

describe('a network', () => {
  test('holds exactly what node says it holds', () => {
    let inside = 0;
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 3 }), fc.boolean(), (samples, compressed) => {
        const networks = samples.map(
          ({ family, base, bits }) => `${written(family, base, compressed)}/${bits}`,
        );
        // One list per family: node lets a v6 network hold mapped v4 addresses, and here those are v4.
        const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
        for (const { family, base, bits } of samples)
          lists[family].addSubnet(written(family, base), bits, family);
        for (const { family, near } of samples) {
          const address = written(family, near);
          const expected = lists[family].check(address, family);
          if (expected) inside++;
          expect(isIn(networks, address), `${address} in ${networks.join(', ')}`).toBe(expected);
        }
      }),
      fuzz(4000),
    );
    expect(inside).toBeGreaterThan(200);
  });

  test('with a bit beyond its length is refused, and the hint can be taken', () => {
    fc.assert(
      fc.property(sample, fc.nat(), ({ family, base, bits }, chance) => {
        const free = widthOf(family) - bits;
        if (free === 0) return;
        const off = base | (1n << BigInt(chance % free));
        if (family === 'ipv6' && off >> 32n === 0xffffn) return;
        const result = parseNetwork(`${written(family, off)}/${bits}`);
        expect(result).toMatchObject({ ok: false, message: expect.stringMatching(/beyond its length$/) });
        const [, meant = '', alone = ''] =
          /^write (\S+), or (\S+) for one/.exec(result.ok ? '' : result.hint) ?? [];
        expect(network(meant)).toEqual(network(`${written(family, base)}/${bits}`));
        expect(network(alone).bits).toBe(widthOf(family));
      }),
      fuzz(1500),
    );
  });

  test.each([
    ['203.0.113.0', 'write 203.0.113.0/32'],
    ['2001:db8::1', 'write 2001:db8::1/128'],
    ['', 'write ADDRESS/LENGTH'],
    ['/24', 'write ADDRESS/LENGTH'],
    ['203.0.113/24', 'write ADDRESS/LENGTH'],
    ['203.0.113.0/024', 'write ADDRESS/LENGTH'],
    ['203.0.113.0/+8', 'write ADDRESS/LENGTH'],
    ['203.0.113.0/-1', 'write ADDRESS/LENGTH'],
    ['203.0.113.0/24 ', 'write ADDRESS/LENGTH'],
    ['0203.0.113.0/24', 'write ADDRESS/LENGTH'],
    ['256.0.0.0/8', 'write ADDRESS/LENGTH'],
    ['0xcb.0.113.0/24', 'write ADDRESS/LENGTH'],
    ['203.0.113.0/255.255.255.0', 'write ADDRESS/LENGTH'],
    ['203.0.113.0/33', 'write /32'],
    ['2001:db8::/129', 'write /128'],
    ['2001::db8::/32', 'write ADDRESS/LENGTH'],
    ['fe80::%eth0/64', 'write ADDRESS/LENGTH'],
    ['12345::/16', 'write ADDRESS/LENGTH'],
    ['1:2:3:4:5:6:7/112', 'write ADDRESS/LENGTH'],
    ['::ffff:203.0.113.0/120', 'write it as v4'],
    ['::ffff:cb00:7100/120', 'write it as v4'],
    ['::ffff:0:0/96', 'write it as v4'],
    ['64:ff9b::203.0.113.0/120', 'write it as v4'],
  ])('"%s" is none: %s', (text, hint) => {
    const result = parseNetwork(text);
    expect(result.ok ? 'read' : result.hint).toContain(hint);
  });

  test('is never read from anything that is not one', () => {
    const noise = fc.oneof(
      fc.string(),
      fc
        .array(fc.constantFrom('1', '0', '255', '.', ':', '::', '/', 'ffff', '24', '128', '%', ' '), {
          maxLength: 20,
        })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(noise, (text) => {
        if (!parseNetwork(text).ok) return;
        const [address = '', bits = ''] = text.split('/');
        const list = new BlockList();
        const family = address.includes(':') ? 'ipv6' : 'ipv4';
        list.addSubnet(address, Number(bits), family);
        expect(list.check(address, family)).toBe(true);
      }),
      fuzz(3000),
    );
  });
});

describe('the address pin', () => {
  const pin = {
    kind: 'cidr' as const,
    name: 'office',
    allow: [network('203.0.113.0/24'), network('2001:db8::/32')],
  };
  const refusal = (address: string) =>
    checkAddressPin({
      match: matchOf({ addressPin: pin }),
      facts: factsOf({ address: canonicalAddress(address) }),
    })?.code ?? null;

  test.each(['203.0.113.0', '203.0.113.255', '::ffff:203.0.113.7', '::FFFF:cb00:7107', '2001:db8:ffff::1'])(
    'takes %s',
    (address) => expect(refusal(address)).toBeNull(),
  );

  test.each([
    '203.0.112.255',
    '203.0.114.0',
    '::ffff:203.0.114.1',
    '2001:db9::',
    '::cb00:7107',
    '::203.0.113.7',
  ])('refuses %s', (address) => expect(refusal(address)).toBe('address_not_allowed'));

  test.each(['', 'unix', '203.0.113', '203.0.113.07', '203.0.113.999', ':', 'not:an:address'])(
    'refuses "%s", which is no address',
    (address) => expect(refusal(address)).toBe('address_not_allowed'),
  );

  test('of a v6 network takes no v4 address, not even all of v6', () => {
    expect(isIn(['::/0'], '203.0.113.7')).toBe(false);
    expect(isIn(['0.0.0.0/0'], '2001:db8::1')).toBe(false);
    expect(isIn(['::/0'], '2001:db8::1')).toBe(true);
  });
});
