/** Words that must not stand in a new token: none does, every other token is as likely as before, and configs know the odds. */
import { describe, expect, test } from 'vitest';
import { refusedShare } from '../../policy/compile-avoid.ts';
import type { TokenType } from '../../policy/token-types.ts';
import { mintSecret } from '../../store/secret.ts';
import { endsInChecksum } from '../../store/token-format.ts';
import { loaded } from '../fixtures/config.ts';

type Minted = Pick<TokenType, 'prefix' | 'issue' | 'checksum'>;

const holds = (text: string, words: readonly string[]) =>
  words.some((word) => text.toLowerCase().includes(word));

describe('of 20,000 new tokens none holds a word to avoid', () => {
  const words = ['xxx', 'yyy', 'todo', 'abc', 'test', 'aa1', 'zz9', '000'];
  const issue = { length: 48, alphabet: 'base62', avoid: words } as const;
  test.each<readonly [what: string, type: Minted, id: string | null]>([
    ['with a prefix', { prefix: 'pio_live_', issue }, null],
    ['whose prefix ends as words begin', { prefix: 'pio_TEsxX', issue }, null],
    ['with a checksum', { prefix: 'pio_', issue, checksum: true }, null],
    [
      'in base64url',
      { prefix: '', issue: { ...issue, alphabet: 'base64url', avoid: [...words, '--a', 'a-b'] } },
      null,
    ],
    ['with an id, which may hold one', { prefix: '', issue }, '01TODOXXX'],
  ])('%s', (_what, type, id) => {
    for (let n = 0; n < 20_000; n++) {
      const token = mintSecret(type, id ?? undefined);
      const text = id === null ? token : token.slice(id.length + 1);
      if (holds(text, type.issue.avoid ?? [])) throw new Error(token);
      if (type.checksum === true && !endsInChecksum(token)) throw new Error(token);
    }
  });
});

test('every token that is left is equally likely, and none is gone that need not be', () => {
  const avoid = [...'0123456789abcdef'].map((digit) => digit.repeat(3)).concat('abc', '123');
  const counts = new Map<string, number>();
  const rounds = 100_000;
  for (let n = 0; n < rounds; n++) {
    const token = mintSecret({ prefix: '', issue: { length: 3, alphabet: 'hex', avoid } });
    counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  const left = 16 ** 3 - avoid.length;
  expect(counts.size).toBe(left);
  expect(avoid.filter((word) => counts.has(word))).toEqual([]);
  const expected = rounds / left;
  let chiSquare = 0;
  for (const count of counts.values()) chiSquare += (count - expected) ** 2 / expected;
  // As many degrees of freedom as places less one; six standard deviations.
  expect(Math.abs(chiSquare - (left - 1))).toBeLessThan(6 * Math.sqrt(2 * left));
});

test('where every draw holds one it gives up, and does not turn for ever', () => {
  const avoid = [...'0123456789abcdef'].map((digit) => `p${digit}`);
  expect(() => mintSecret({ prefix: 'p', issue: { length: 20, alphabet: 'hex', avoid } })).toThrow(
    'every token that is drawn holds a word to avoid',
  );
});

describe('the share of draws that hold a word', () => {
  const words = ['abc', 'dea', 'f00', '123', 'cafe', '4a1', '777', '0b5'];
  test.each<readonly [what: string, shape: Minted & { checksum?: true }]>([
    ['in hex', { prefix: '', issue: { length: 40, alphabet: 'hex' } }],
    [
      'behind a prefix that begins two of them',
      { prefix: 'key_AB_de', issue: { length: 40, alphabet: 'hex' } },
    ],
    ['with a checksum', { prefix: 'k_', issue: { length: 40, alphabet: 'hex' }, checksum: true }],
    ['in base62', { prefix: '4a', issue: { length: 200, alphabet: 'base62' } }],
  ])('%s is what is counted, and never less', (_what, { prefix, issue, checksum }) => {
    const type = { prefix, issue, ...(checksum && { checksum }) };
    const rounds = 20_000;
    let held = 0;
    for (let n = 0; n < rounds; n++) if (holds(mintSecret(type), words)) held++;
    const told = refusedShare({ prefix, issue, checksum: checksum && 'required' }, words);
    const deviation = Math.sqrt((told * (1 - told)) / rounds);
    expect(held / rounds).toBeLessThan(told + 5 * deviation);
    expect(held / rounds).toBeGreaterThan(told * 0.85 - 5 * deviation);
  });

  test('of one word at every place is the number of places by the chance of one', () => {
    const shape = { prefix: '', checksum: undefined };
    const hex = refusedShare({ ...shape, issue: { length: 10, alphabet: 'hex' } }, ['abcd']);
    expect(hex).toBeCloseTo(7 / 16 ** 4, 12);
    const base62 = refusedShare({ ...shape, issue: { length: 48, alphabet: 'base62' } }, ['xxx', 'a1b']);
    expect(base62).toBeCloseTo((46 * 8 + 46 * 4) / 62 ** 3, 12);
  });

  test('that is just under a half is taken, and the type then mints', () => {
    const avoid = Array.from({ length: 32 }, (_, i) => (0xa01 + i * 7).toString(16));
    const { policy } = loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types: { key: { prefix: key_, issue: { length: 64, alphabet: hex, avoid: [${avoid.map((word) => `"${word.toUpperCase()}"`).join(', ')}] }, scopes: [] } }
apis: { main: { to: app, routes: { GET /a: { allow: { key: any_scope } } } } }
`);
    const type = policy.types.get('key');
    if (type === undefined) throw new Error('no type');
    expect(type.issue.avoid).toEqual(avoid);
    const texts = Array.from({ length: 500 }, () => mintSecret(type));
    expect(texts.filter((text) => holds(text.slice(4), avoid))).toEqual([]);
  });
});
