import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressKey, canonicalAddress, networkOf } from '../../policy/address.ts';
import { fuzz } from '../support/fuzz.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['::FFFF:C000:0201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:201', '192.0.2.1'],
  ['0000:0000:0000:0000:0000:ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201%eth0', '192.0.2.1'],
  ['::ffff:0:0', '0.0.0.0'],
  ['::c000:201', '::c000:201'],
  ['1::ffff:c000:201', '1::ffff:c000:201'],
  ['2001:db8::1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::1', '::1'],
  ['', ''],
  ['not:an:address', 'not:an:address'],
])('%s is told as %s', (address, canonical) => {
  expect(canonicalAddress(address)).toBe(canonical);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:0201', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:1:2::/64', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['', ''],
  ['not:an:address', 'not:an:address'],
  ['1::2::3', '1::2::3'],
  ['1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8:9'],
])('%s is counted as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

const group = fc.nat(0xffff);
const spellings = [
  (groups: readonly number[]) => groups.map((one) => one.toString(16)).join(':'),
  (groups: readonly number[]) =>
    groups.map((one) => one.toString(16).padStart(4, '0').toUpperCase()).join(':'),
  (groups: readonly number[]) =>
    groups
      .map((one) => one.toString(16))
      .join(':')
      .replace(/(?:^|:)0(?::0)+(?::|$)/, '::'),
  (groups: readonly number[]) =>
    new URL(`http://[${groups.map((one) => one.toString(16)).join(':')}]`).hostname.slice(1, -1),
];

describe('for every v6 address', () => {
  const addresses = fc.tuple(
    fc.oneof(
      fc.tuple(group, group, group, group, group, group, group, group),
      fc.tuple(
        fc.constantFrom(0, 0, 1),
        group,
        fc.constant(0),
        fc.constant(0),
        group,
        fc.constant(0),
        group,
        group,
      ),
      fc.tuple(group, group).map(([high, low]) => [0, 0, 0, 0, 0, 0xffff, high, low]),
    ),
    fc.constantFrom(...spellings),
  );

  test('all its spellings are counted as one, and the key is its own key', () => {
    fc.assert(
      fc.property(addresses, ([groups, spell]) => {
        const key = addressKey(spellings[0]?.(groups) ?? '');
        expect(addressKey(spell(groups))).toBe(key);
        expect(addressKey(canonicalAddress(spell(groups)))).toBe(key);
        expect(addressKey(key)).toBe(key);
      }),
      fuzz(2000),
    );
  });

  test('two networks are never counted as one', () => {
    fc.assert(
      fc.property(addresses, addresses, ([one], [other]) => {
        const isMapped = (groups: readonly number[]) =>
          groups.slice(0, 5).every((part) => part === 0) && groups[5] === 0xffff;
        const network = (groups: readonly number[]) =>
          isMapped(groups) ? `v4 ${groups.slice(6)}` : `v6 ${groups.slice(0, 4)}`;
        const same = network(one) === network(other);
        expect(addressKey(spellings[0]?.(one) ?? '') === addressKey(spellings[0]?.(other) ?? '')).toBe(same);
      }),
      fuzz(2000),
    );
  });
});

test.each([
  ['192.0.2.77', '192.0.2.0/24'],
  ['::ffff:192.0.2.77', '192.0.2.0/24'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
  ['2001:0DB8:0001::9', '2001:db8:1::/48'],
  ['fe80::1%eth0', 'fe80:0:0::/48'],
  ['::1', '0:0:0::/48'],
  ['', ''],
  ['not:an:address', 'not:an:address'],
  ['localhost', 'localhost'],
])('%s is in the network %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test('an address is in one network however it is spelled, and its neighbours are too', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }), (groups) => {
      fc.pre(!groups.slice(0, 3).every((group) => group === 0));
      const hex = groups.map((group) => group.toString(16));
      const long = hex.map((group) => group.padStart(4, '0').toUpperCase()).join(':');
      const network = `${hex.slice(0, 3).join(':')}::/48`;
      expect([networkOf(hex.join(':')), networkOf(long)]).toEqual([network, network]);
      expect(networkOf(`${hex.slice(0, 3).join(':')}:ffff::1`)).toBe(network);
    }),
    fuzz(200),
  );
});
