/** Every token that the store issues is found wherever it stands, and nothing else ever is. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checksumOf } from '../../store/token-format.ts';
import { type Chance, chanceOf } from '../fixtures/random.ts';
import { fuzz } from '../support/fuzz.ts';
import { type Leaks, openLeaks, scanPieces, wrappings } from '../support/leaks.ts';

const perType = 6;
let leaks: Leaks;

beforeAll(async () => {
  leaks = await openLeaks(perType);
});

afterAll(() => leaks.close());

/** Text between tokens: nothing in it goes on into a word at either end. */
const filler = fc
  .array(
    fc.constantFrom(
      'word ',
      'a_b-c ',
      '\n',
      '\r\n',
      '|',
      ' || ',
      'prj_ ',
      'ck_',
      '%7C',
      '{"a":',
      'ünï ',
      '\t',
    ),
    {
      maxLength: 30,
    },
  )
  .map((words) => `${words.join('')}\n`);

const planting = fc.record({
  nth: fc.nat(),
  how: fc.constantFrom(...Object.keys(wrappings)),
  before: filler,
  /** Moves what follows to and fro over the ends of pieces. */
  padding: fc.nat({ max: 1500 }),
});

function cut(bytes: Buffer, sizes: readonly number[]): readonly Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, nth = 0; at < bytes.length; nth++) {
    const size = sizes[nth % sizes.length] ?? bytes.length;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

describe('a scan finds', () => {
  test('every token, wherever and however it is written, with its line and column', async () => {
    const property = fc.asyncProperty(
      fc.array(planting, { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 4 }),
      async (plantings, sizes) => {
        let text = '';
        const expected: string[] = [];
        for (const { nth, how, before, padding } of plantings) {
          const { token, record } = leaks.issued[nth % leaks.issued.length] ?? expect.unreachable();
          const wrapped = wrappings[how]?.(token) ?? '';
          text += `\n${before}${' '.repeat(padding)}`;
          const beginning = record.type === 'piped' ? token.slice(0, 26) : token.slice(-30);
          const written = record.type === 'piped' ? 0 : token.length - 30;
          for (let at = wrapped.indexOf(beginning); at !== -1; at = wrapped.indexOf(beginning, at + 1)) {
            const bytes = Buffer.from(text + wrapped.slice(0, at), 'utf8').toString('latin1');
            const line = bytes.split('\n').length;
            const isPlain = wrapped.startsWith(token, at - written);
            const column = bytes.length - bytes.lastIndexOf('\n') - (isPlain ? written : 0);
            expected.push(`${record.id} ${line}${isPlain ? `:${column}` : ''}`);
          }
          text += wrapped;
        }
        const told = await scanPieces(leaks, cut(Buffer.from(`${text}\n`), sizes));
        const found = told.map(({ id, line, column }) => [`${id} ${line}:${column}`, `${id} ${line}`]);
        expect(found.length).toBe(expected.length);
        expect(expected.filter((one) => !found.some((forms) => forms.includes(one)))).toEqual([]);
      },
    );
    await fc.assert(property, fuzz(150));
  });

  test.each(Object.keys(wrappings))('a token of each type as %s, alone in its file', async (how) => {
    for (const { token, record } of leaks.issued.filter((_, nth) => nth % perType === 0)) {
      const told = await scanPieces(leaks, [Buffer.from(wrappings[how]?.(token) ?? '')]);
      expect(
        told.map(({ id }) => id),
        `${record.type} as ${how}`,
      ).toEqual(how === 'list' ? [record.id, record.id] : [record.id]);
    }
  });

  test('tokens in UTF-16, as some shells write files', async () => {
    for (const isLittle of [true, false]) {
      const text = Buffer.from(
        `\ufeff${leaks.issued.map(({ token }) => `x\r\n "${token}"`).join('\r\n')}`,
        'utf16le',
      );
      const told = await scanPieces(leaks, cut(isLittle ? text : text.swap16(), [701]));
      expect(told.map(({ id }) => id)).toEqual(leaks.issued.map(({ record }) => record.id));
      expect(told.map(({ line }) => line)).toEqual(leaks.issued.map((_, nth) => nth * 2 + 2));
    }
  });
});

const base62 = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'];
/** Where the random part begins. */
const starts: Readonly<Record<string, number>> = {
  project: 9,
  checked: 3,
  piped: 27,
  legacy: 4,
  keyed: 3,
  odd: 4,
};

/** What is nearly a token. */
function nearMiss({ one, below }: Chance): string {
  const { token, record } = one(leaks.issued);
  const start = starts[record.type] ?? 0;
  // What begins as a bcrypt row does is tried, and only so often: here it differs early.
  const at = start + below(record.type === 'legacy' ? 8 : token.length - start);
  const letter = one(base62);
  const other = token.charAt(at) === letter ? (letter === '1' ? '2' : '1') : letter;
  const changed = token.slice(0, at) + other + token.slice(at + 1);
  if (record.type === 'legacy') return changed;
  const random = token.slice(start);
  const front = token.slice(0, start);
  const ways: readonly (() => string)[] = [
    () => changed,
    () => token + letter,
    () => letter + token,
    () => `${token}_`,
    () => token.slice(0, -1),
    () => front,
    () => front + random.slice(1),
    () => `${front}${random.toUpperCase()}Z`,
    () => front + Buffer.from(random).toString('hex').slice(0, random.length),
    () => front + Array.from(random, () => one(base62)).join(''),
    () => (record.type === 'checked' ? token.slice(0, -6) + checksumOf(`${token.slice(0, -6)}x`) : changed),
    () => (record.type === 'piped' ? `${token.slice(0, 26)}0|${random}` : changed),
  ];
  return one(ways)();
}

/** How many near misses one seed stands for. */
const batch = 2000;

function nearMisses(seed: number): Buffer {
  const chance = chanceOf(seed);
  return Buffer.from(Array.from({ length: batch }, () => nearMiss(chance)).join('\n'));
}

describe('a scan finds nothing', () => {
  test('in near misses of what was issued', async () => {
    const property = fc.asyncProperty(fc.nat(), async (seed) => {
      expect(await scanPieces(leaks, [nearMisses(seed)])).toEqual([]);
    });
    await fc.assert(property, fuzz(50));
  });

  test('without a store, in what has no right checksum', async () => {
    const property = fc.asyncProperty(fc.nat(), async (seed) => {
      expect(await scanPieces(leaks, [nearMisses(seed)], false)).toEqual([]);
    });
    await fc.assert(property, fuzz(20));
  });

  test('in what begins as a bcrypt token does, and compares only so often', async () => {
    const { token } = leaks.issued.find(({ record }) => record.type === 'legacy') ?? expect.unreachable();
    const near = base62.flatMap((one) => [
      `${token.slice(0, 42)}${one}${one}`,
      `${token.slice(0, 41)}${one}_x`,
    ]);
    const before = leaks.store.verifierCompleted();
    const others = near.filter((one) => one !== token);
    expect(await scanPieces(leaks, [Buffer.from(others.join('\n'))])).toEqual([]);
    const compared = leaks.store.verifierCompleted() - before;
    expect(compared).toBeGreaterThan(0);
    expect(compared).toBeLessThanOrEqual(64);
  });
});

describe('a hostile text', () => {
  const bytes = 2 << 20;
  const filled = (text: string) => Buffer.from(text.repeat(Math.ceil(bytes / text.length)));

  test.each([
    ['one word', 'a'],
    ['prefixes', 'prj_'],
    ['prefixes and more', '~prj_~'],
    ['pipes', '|'],
    ['ids', `${'a'.repeat(20)}|`],
    ['ids that are too long', `${'a'.repeat(70)}|${'b'.repeat(17)}`],
    ['escapes', '\\n'],
    ['colours', '\u001b[1;1;1;1;1;1;1;1;'],
    ['words of nearly the length', `${'a'.repeat(44)} ${'0'.repeat(46)}-`],
  ])('of %s takes no longer than its length', async (_, text) => {
    const began = performance.now();
    expect(await scanPieces(leaks, cut(filled(text), [1 << 16]), false)).toEqual([]);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
