/** Secrets and ids: what they look like, and that nothing favours one over another. */
import { describe, expect, test } from 'vitest';
import { createTokenIds } from '../../store/id.ts';
import { createKeyedDigest, digestOf, mintSecret, previewOf } from '../../store/secret.ts';

const type = { prefix: 'pio_live_', prefixes: ['pio_live_', 'pio_'] };

describe('a minted secret', () => {
  test.each([
    ['base62', /^pio_live_[0-9A-Za-z]{48}$/],
    ['hex', /^pio_live_[0-9a-f]{48}$/],
    ['base64url', /^pio_live_[0-9A-Za-z_-]{48}$/],
  ] as const)('is its prefix and as many %s characters as asked', (alphabet, shape) => {
    expect(mintSecret({ prefix: 'pio_live_', issue: { length: 48, alphabet } })).toMatch(shape);
  });

  test('uses every character of its alphabet equally often', () => {
    const counts = new Map<string, number>();
    for (const character of mintSecret({ prefix: '', issue: { length: 62_000, alphabet: 'hex' } })) {
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect(counts.size).toBe(16);
    // 3,875 expected of each; six standard deviations are 362.
    for (const count of counts.values()) expect(Math.abs(count - 3_875)).toBeLessThan(362);
  });

  test('favours no base62 character, though 256 is no multiple of 62', () => {
    const counts = new Map<string, number>();
    for (let n = 0; n < 1_000; n++) {
      for (const character of mintSecret({ prefix: '', issue: { length: 62, alphabet: 'base62' } })) {
        counts.set(character, (counts.get(character) ?? 0) + 1);
      }
    }
    // 1,000 expected of each; bytes taken modulo 62 would give the first eight 1,211.
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(200);
    expect(counts.size).toBe(62);
  });

  test('never looks like a placeholder', () => {
    // Of 20-character strings about one in 6,500 holds one of the words: 20,000 would show it.
    const issue = { length: 20, alphabet: 'base62' } as const;
    for (let n = 0; n < 20_000; n++) {
      expect(mintSecret({ prefix: '', issue })).not.toMatch(/xxx|yyy|todo|fixme|replace|changeme/i);
    }
  });
});

describe('what is shown of a token', () => {
  test.each([
    ['pio_live_abcdefgh', 'pio_live_abcd...'],
    ['pio_abcdefgh', 'pio_abcd...'],
    ['pio_live_ab', 'pio_live_ab...'],
    ['legacy-abcdefgh', 'lega...'],
    ['', 'pio_live_...'],
  ])('of "%s" it is %s', (beginning, preview) => {
    expect(previewOf(type, beginning)).toBe(preview);
  });

  test('without a prefix it is four characters', () => {
    expect(previewOf({ prefix: '', prefixes: [] }, 'abcdefgh')).toBe('abcd...');
  });
});

describe('digests', () => {
  test('the stored digest is SHA-256 of the whole token', () => {
    expect(digestOf('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  test('the remembered digest is stable in a process and useless outside', () => {
    const digest = createKeyedDigest();
    expect(digest('abc')).toBe(digest('abc'));
    expect(createKeyedDigest()('abc')).not.toBe(digest('abc'));
  });
});

describe('ids', () => {
  test('grow within one ms and after a clock that stepped back', () => {
    const times = [1_000, 1_000, 1_000, 5, 1_001, 2_000, 0];
    const nextId = createTokenIds(() => times.shift() ?? 0);
    const ids = Array.from({ length: 7 }, nextId);
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(7);
  });

  test('begin with their time, as ULIDs do', () => {
    // The example of the ULID specification.
    expect(createTokenIds(() => 1_469_918_176_385)().slice(0, 14)).toBe('tok_01ARYZ6S41');
  });
});
