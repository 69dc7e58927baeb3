import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mintSecret } from '../../store/secret.ts';
import { checksumOf, endsInChecksum, isPipeId, splitIdPipe } from '../../store/token-format.ts';

const tokenText = fc.string({
  unit: fc.constantFrom(...'ABab01._~+/=|-'),
  minLength: 7,
  maxLength: 60,
});

describe('a checksum', () => {
  test.each([
    // Its CRC32 is cbf43926, the check value of the catalogues of CRCs; in base 62 by another program.
    ['123456789', '3jZRME'],
    ['', '000000'],
    ['pio_live_', '4PWB8v'],
  ])('of "%s" is %s', (beginning, checksum) => {
    expect(checksumOf(beginning)).toBe(checksum);
  });

  test('is what a minted token ends in, after all its random characters', () => {
    for (let n = 0; n < 200; n++) {
      const type = { prefix: 'pio_', issue: { length: 20, alphabet: 'hex' }, checksum: true } as const;
      const token = mintSecret(type);
      expect(token).toMatch(/^pio_[0-9a-f]{20}[0-9A-Za-z]{6}$/);
      expect(endsInChecksum(token)).toBe(true);
    }
  });

  test('is wrong for a token with one character changed, two swapped, one more or one fewer', () => {
    fc.assert(
      fc.property(tokenText, fc.nat(), fc.constantFrom('A', 'z', '0'), (beginning, where, other) => {
        const token = beginning + checksumOf(beginning);
        expect(endsInChecksum(token)).toBe(true);
        const at = where % token.length;
        const swapped = token.slice(0, at) + (token[at + 1] ?? '') + (token[at] ?? '') + token.slice(at + 2);
        const wrong = [
          token.slice(0, at) + other + token.slice(at + 1),
          token.slice(0, at) + token.slice(at + 1),
          token.slice(0, at) + other + token.slice(at),
          swapped,
        ];
        for (const text of wrong) if (text !== token) expect(endsInChecksum(text)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test('is not found in what is too short to have one', () => {
    for (const text of ['', '00000', '000000']) expect(endsInChecksum(text)).toBe(false);
  });
});

describe('<id>|<random>', () => {
  test.each([
    ['2|abc', { id: '2', random: 'abc' }],
    ['a-B_9|x|y', { id: 'a-B_9', random: 'x|y' }],
    ['2||', { id: '2', random: '|' }],
    [`${'x'.repeat(64)}|y`, { id: 'x'.repeat(64), random: 'y' }],
    [`${'x'.repeat(65)}|y`, null],
    ['2|', null],
    ['|abc', null],
    ['abc', null],
    ['a.b|c', null],
    ['a/b|c', null],
  ])('%s parts as %j', (text, parts) => {
    expect(splitIdPipe(text)).toEqual(parts);
  });

  test('parts only where the id is one', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), (id, random) => {
        const whole = id.split('|')[0] ?? '';
        expect(splitIdPipe(`${whole}|${random}`)).toEqual(isPipeId(whole) ? { id: whole, random } : null);
      }),
    );
  });
});
