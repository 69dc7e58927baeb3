/** Who the caller is, where proxies stand before us. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readHops } from '../../gateway/forwarded.ts';
import { parseNetwork } from '../../policy/cidr.ts';
import type { Network } from '../../policy/types.ts';
import { gateHead } from '../support/gate.ts';

const trusted = networks('10.0.0.0/8', '127.0.0.1/32', '2001:db8:ffff::/48');

function networks(...texts: readonly string[]): readonly Network[] {
  return texts.map((text) => {
    const network = parseNetwork(text);
    if (!network.ok) throw new Error(network.message);
    return network.value;
  });
}

function hopsOf(peer: string, ...rawHeaders: readonly string[]) {
  return readHops(gateHead(rawHeaders, { peer }), trusted);
}

describe('the caller', () => {
  test.each([
    ['an untrusted peer is the caller, whatever it says', '192.0.2.1', ['198.51.100.7'], null],
    ['a trusted peer that says nothing is the caller', '10.0.0.1', [], ['10.0.0.1']],
    ['what a trusted peer says is believed', '10.0.0.1', ['198.51.100.7'], ['198.51.100.7', '10.0.0.1']],
    [
      'a claim left of that is dropped',
      '10.0.0.1',
      ['127.0.0.1, 198.51.100.7'],
      ['198.51.100.7', '10.0.0.1'],
    ],
    [
      'a chain of trusted hops is followed to its end',
      '10.0.0.1',
      ['1.2.3.4, 198.51.100.7, 10.0.0.3, 10.0.0.2'],
      ['198.51.100.7', '10.0.0.3', '10.0.0.2', '10.0.0.1'],
    ],
    [
      'an inside caller is the leftmost',
      '10.0.0.1',
      ['10.9.9.9, 10.0.0.2'],
      ['10.9.9.9', '10.0.0.2', '10.0.0.1'],
    ],
    ['several fields are one list', '10.0.0.1', ['1.2.3.4', '198.51.100.7'], ['198.51.100.7', '10.0.0.1']],
    ['what is no address ends the chain', '10.0.0.1', ['198.51.100.7, unknown'], ['10.0.0.1']],
    ['an empty entry ends the chain', '10.0.0.1', ['198.51.100.7, '], ['10.0.0.1']],
    ['a name is no address', '10.0.0.1', ['localhost'], ['10.0.0.1']],
    ['an octal spelling is no address', '10.0.0.1', ['010.0.0.1'], ['10.0.0.1']],
    ['a port is left out', '10.0.0.1', ['198.51.100.7:4711'], ['198.51.100.7', '10.0.0.1']],
    ['a v6 port as well', '10.0.0.1', ['[2001:db8::7]:4711'], ['2001:db8::7', '10.0.0.1']],
    ['v4 in v6 is v4', '::ffff:10.0.0.1', ['::ffff:198.51.100.7'], ['198.51.100.7', '10.0.0.1']],
    ['a trusted v6 proxy', '2001:db8:ffff::1', ['2001:db8::7'], ['2001:db8::7', '2001:db8:ffff::1']],
  ])('%s', (_, peer, fields, chain) => {
    const hops = hopsOf(peer, ...fields.flatMap((field) => ['X-Forwarded-For', field]));
    expect(hops?.chain ?? null).toEqual(chain);
  });

  test('can never be chosen by the caller: what it wrote itself is left of its own address', () => {
    const v4 = fc.ipV4().filter((address) => !/^(?:10\.|127\.0\.0\.1$)/.test(address));
    const claim = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('127.0.0.1', '10.0.0.9', 'unknown', '', ',', '::1'),
    );
    const inside = fc.ipV4().map((address) => `10.${address.split('.').slice(1).join('.')}`);
    fc.assert(
      fc.property(fc.array(claim), v4, fc.array(inside, { maxLength: 5 }), (claims, caller, proxies) => {
        // Each proxy adds whom it heard from; the last one connects to us.
        const [peer = '10.0.0.1', ...earlier] = proxies.toReversed();
        const list = [...claims, caller, ...earlier.toReversed()].join(', ');
        expect(hopsOf(peer, 'X-Forwarded-For', list)?.chain).toEqual([caller, ...earlier.toReversed(), peer]);
      }),
      { numRuns: 1000 },
    );
  });

  test('is not looked for through more hops than any chain has', () => {
    const list = Array.from({ length: 5000 }, () => '10.0.0.2').join(',');
    expect(hopsOf('10.0.0.1', 'X-Forwarded-For', list)?.chain).toHaveLength(32);
  });
});

describe('what else a trusted proxy says', () => {
  test.each([
    ['https', ['X-Forwarded-Proto', 'https'], { proto: 'https' }],
    ['another scheme is http', ['X-Forwarded-Proto', 'gopher'], { proto: 'http' }],
    ['two schemes are none', ['X-Forwarded-Proto', 'https', 'X-Forwarded-Proto', 'https'], { proto: 'http' }],
    ['a list of schemes is none', ['X-Forwarded-Proto', 'https, http'], { proto: 'http' }],
    [
      'the host that was asked for',
      ['X-Forwarded-Host', 'api.example.com:8443'],
      { host: 'api.example.com:8443' },
    ],
    ['a host with a quote is none', ['X-Forwarded-Host', 'a";for=evil'], { host: null }],
    ['two hosts are none', ['X-Forwarded-Host', 'a.test', 'X-Forwarded-Host', 'b.test'], { host: null }],
    [
      'an id for the log',
      ['X-Request-Id', '0af7651916cd43dd8448eb211c80319c'],
      { requestId: '0af7651916cd43dd8448eb211c80319c' },
    ],
    ['a short id is none', ['X-Request-Id', 'abc'], { requestId: null }],
    ['an id with odd bytes is none', ['X-Request-Id', 'abcdefgh\u007f'], { requestId: null }],
  ])('%s', (_, fields, told) => {
    expect(hopsOf('10.0.0.1', ...fields)).toMatchObject(told);
  });

  test('Forwarded is not read: a proxy that only knows X-Forwarded-For passes on whatever a caller put there', () => {
    expect(hopsOf('10.0.0.1', 'Forwarded', 'for=198.51.100.7')?.chain).toEqual(['10.0.0.1']);
  });
});
