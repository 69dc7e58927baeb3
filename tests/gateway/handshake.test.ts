import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptOf, flawInAccept, isHandshake } from '../../gateway/handshake.ts';
import type { Head } from '../../gateway/head.ts';
import { fuzz } from '../support/fuzz.ts';

type Field = readonly [string, string];

/** RFC 6455 §1.3. */
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const whole: readonly Field[] = [
  ['Host', 'localhost'],
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', key],
];

const head = (fields: readonly Field[], rest: Partial<Head> = {}): Head => ({
  method: 'GET',
  target: '/live',
  httpVersion: '1.1',
  rawHeaders: fields.flat(),
  peer: '192.0.2.1',
  ...rest,
});

const withField = (name: string, value: string): readonly Field[] =>
  whole.map((field) => (field[0] === name ? [name, value] : field));

describe('isHandshake', () => {
  test.each([
    ['as the RFC has it', whole],
    ['as Firefox writes it', withField('Connection', 'keep-alive, Upgrade')],
    [
      'in another case',
      whole.map(([name, value]): Field => [name.toLowerCase(), name === 'Upgrade' ? 'WebSocket' : value]),
    ],
    [
      'with a subprotocol and extensions',
      [...whole, ['Sec-WebSocket-Protocol', 'chat'], ['Sec-WebSocket-Extensions', 'x']],
    ],
  ] as const)('takes one %s', (_what, fields) => {
    expect(isHandshake(head(fields))).toBe(true);
  });

  test.each([
    ['h2c', withField('Upgrade', 'h2c')],
    ['two protocols in one field', withField('Upgrade', 'h2c, websocket')],
    ['two protocols in two fields', [...whole, ['Upgrade', 'h2c']]],
    ['a version after the protocol', withField('Upgrade', 'websocket/13')],
    ['HTTP/2 settings', [...whole, ['HTTP2-Settings', 'AAMAAABkAAQAoAAA']]],
    ['a nominated field', withField('Connection', 'Upgrade, X-Postern-Token-Id')],
    ['a nominated key', withField('Connection', 'Upgrade, Sec-WebSocket-Key')],
    ['Connection: close', withField('Connection', 'close, Upgrade')],
    ['two Connections', [...whole, ['Connection', 'keep-alive']]],
    ['another version', withField('Sec-WebSocket-Version', '8')],
    ['two versions', [...whole, ['Sec-WebSocket-Version', '13']]],
    ['two keys', [...whole, ['Sec-WebSocket-Key', key]]],
    ['a short key', withField('Sec-WebSocket-Key', 'dGhlIHNhbXBsZQ==')],
    ['a key that is no base64', withField('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ!!')],
    ['an empty body', [...whole, ['Content-Length', '0']]],
    ['a body', [...whole, ['Transfer-Encoding', 'chunked']]],
    ['an expectation', [...whole, ['Expect', '100-continue']]],
    ['an answer', [...whole, ['Sec-WebSocket-Accept', accept]]],
  ] as readonly (readonly [string, readonly Field[]])[])('does not take %s', (_what, fields) => {
    expect(isHandshake(head(fields))).toBe(false);
  });

  test.each([{ method: 'POST' }, { method: 'HEAD' }, { method: 'OPTIONS' }, { httpVersion: '1.0' }])(
    'nor %j',
    (rest) => {
      expect(isHandshake(head(whole, rest))).toBe(false);
    },
  );

  test.each(whole.slice(1).map(([name]) => name))('nor one without %s', (name) => {
    expect(isHandshake(head(whole.filter((field) => field[0] !== name)))).toBe(false);
  });

  test('no further field of its own kind, wherever it stands, is overlooked', () => {
    const own = fc.constantFrom(
      'upgrade',
      'CONNECTION',
      'Sec-WebSocket-Key',
      'sec-websocket-version',
      'Expect',
      'Content-Length',
    );
    fc.assert(
      fc.property(own, fc.string(), fc.nat(5), (name, value, at) => {
        const fields = [...whole.slice(0, at), [name, value] as const, ...whole.slice(at)];
        expect(isHandshake(head(fields))).toBe(false);
      }),
      fuzz(500),
    );
  });
});

describe('flawInAccept', () => {
  const fields = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', accept];

  test('finds none in the example of the RFC', () => {
    expect(acceptOf(key)).toBe(accept);
    expect(flawInAccept(fields, key)).toBeNull();
  });

  test('finds one in every other accept', () => {
    fc.assert(
      fc.property(fc.oneof(fc.base64String(), fc.string()), (other) => {
        fc.pre(other.trim() !== accept);
        expect(flawInAccept([...fields.slice(0, 5), other], key)).toBe('a wrong Sec-WebSocket-Accept');
      }),
      fuzz(500),
    );
  });

  test.each([
    ['no Upgrade', fields.slice(2), 'an upgrade to something else'],
    ['no Connection', [...fields.slice(0, 2), ...fields.slice(4)], 'a 101 that does not upgrade'],
    ['Connection: close', fields.with(3, 'close'), 'a 101 that does not upgrade'],
  ])('finds %s', (_what, raw, flaw) => {
    expect(flawInAccept(raw, key)).toBe(flaw);
  });
});
