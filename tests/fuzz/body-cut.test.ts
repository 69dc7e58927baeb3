/** Members cut out of random JSON: what is left parses to the same value without them, and is otherwise the same bytes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withoutCuts } from '../../gateway/cut-body.ts';
import { keptRanges } from '../../policy/body-cut.ts';
import { compileQuery } from '../../policy/json-pointer.ts';
import { type JsonCut, JsonScanner, scanJson } from '../../policy/json-scan.ts';
import { fuzz } from '../support/fuzz.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** No two alike for a reader without case, so that most bodies are taken. */
const keys = ['a', 'b', 'c', 'token', 'x/y', 'm~n', 'é', '"\\', ''];
const strays = [...keys, 'A', 'Token', '1'];

const members = (held: fc.Arbitrary<unknown>) =>
  fc.dictionary(
    fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom(...keys) },
      { weight: 1, arbitrary: fc.constantFrom(...strays) },
    ),
    held,
    { maxKeys: 6 },
  );
const leaf = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('}', ',', '"', '],', '\ud800'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
  fc.constantFrom(true, false, null, {}, []),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    leaf,
    members(tie('value')),
    members(tie('value')),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}));
const json = fc.oneof({ weight: 8, arbitrary: members(value) }, { weight: 1, arbitrary: value });

const step = fc.constantFrom(...keys);
const pointers = fc
  .array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 })
  .map((all) => {
    const written = [
      ...new Set(
        all.map((steps) =>
          steps
            .map(escaped)
            .map((text) => `/${text}`)
            .join(''),
        ),
      ),
    ];
    return written.filter((one) => !written.some((other) => one.startsWith(`${other}/`)));
  });

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function stepsOf(pointer: string): readonly string[] {
  return pointer
    .slice(1)
    .split('/')
    .map((text) => text.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The truth: on the parsed value. @returns whether it was there; `array`: one is on the way. */
function remove(value: unknown, [key = '', ...rest]: readonly string[]): 'gone' | 'none' | 'array' {
  if (Array.isArray(value)) return 'array';
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return 'none';
  const members = value as Record<string, unknown>;
  if (rest.length > 0) return remove(members[key], rest);
  delete members[key];
  return 'gone';
}

type Dress = (below: number) => number;

/** The same JSON with space between tokens and characters as escapes. */
function dressed(value: unknown, pick: Dress): string {
  const space = () => ['', '', ' ', '\t\n', '\r\n  '][pick(5)] ?? '';
  const string = (plain: string) =>
    `"${[
      ...JSON.stringify(plain)
        .slice(1, -1)
        .matchAll(/\\u[0-9a-f]{4}|\\.|[\s\S]/gu),
    ]
      .map(([unit]) => {
        if (unit.length > 1 || pick(4) > 0) return unit;
        return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
      })
      .join('')}"`;
  const write = (one: unknown): string => {
    if (typeof one === 'string') return string(one);
    if (typeof one !== 'object' || one === null) return JSON.stringify(one);
    const items = Array.isArray(one)
      ? one.map(write)
      : Object.entries(one).map(([name, held]) => `${string(name)}${space()}:${space()}${write(held)}`);
    const inner = `${space()}${items.join(`${space()},${space()}`)}${space()}`;
    return Array.isArray(one) ? `[${inner}]` : `{${inner}}`;
  };
  return space() + write(value) + space();
}

function without(bytes: Uint8Array, cuts: readonly JsonCut[]): Uint8Array {
  return withoutCuts(Uint8Array.from(bytes), cuts);
}

test('what is left is the value without the members, and every other byte as it was', () => {
  const tally = { cut: 0, several: 0, untouched: 0, array: 0, refused: 0 };
  fc.assert(
    fc.property(json, pointers, fc.infiniteStream(fc.nat(1000)), (value, cut, chance) => {
      const text = dressed(value, (below) => chance.next().value % below);
      const bytes = encoder.encode(text);
      const scan = scanJson(bytes, compileQuery(['/a', '/b/c'], cut));
      const expected: unknown = JSON.parse(text);
      const ends = cut.map((pointer) => remove(expected, stepsOf(pointer)));
      if (ends.includes('array')) {
        expect(scan).toMatchObject({ ok: false });
        tally.array++;
        return;
      }
      if (!scan.ok) {
        expect(scan.reason).toMatch(/another case$|lone surrogate or NUL$|stands twice$/);
        tally.refused++;
        return;
      }
      expect(scan.cuts).toHaveLength(ends.filter((end) => end === 'gone').length);
      const left = without(bytes, scan.cuts);
      expect(JSON.parse(decoder.decode(left))).toEqual(expected);
      const kept = keptRanges(bytes.length, scan.cuts);
      expect(Buffer.concat(kept.map(({ from, to }) => bytes.subarray(from, to)))).toEqual(Buffer.from(left));
      expect(kept.every(({ from, to }) => from < to)).toBe(true);
      // A second look finds nothing any more: no reader of what is left does.
      expect(scanJson(left, compileQuery([], cut))).toMatchObject({ ok: true, cuts: [] });
      tally[scan.cuts.length === 0 ? 'untouched' : 'cut']++;
      if (scan.cuts.length > 1) tally.several++;
    }),
    fuzz(4000),
  );
  if (process.env.FUZZ_RUNS === undefined) {
    expect(tally.cut).toBeGreaterThan(800);
    expect(tally.several).toBeGreaterThan(200);
    expect(tally.untouched).toBeGreaterThan(400);
    expect(tally.array).toBeGreaterThan(50);
  }
});

test('every run of members of an object can be cut, wherever it stands', () => {
  for (let size = 1; size <= 6; size++) {
    for (let mask = 0; mask < 2 ** size; mask++) {
      const names = Array.from({ length: size }, (_, i) => `k${i}`);
      const cut = names.filter((_, i) => (mask & (1 << i)) !== 0);
      for (const [between, around] of [
        [',', ''],
        [' ,\n', '\t'],
      ] as const) {
        const text = `{${around}${names.map((name) => `"${name}" : [${name.slice(1)}]`).join(between)}${around}}`;
        const bytes = encoder.encode(text);
        const scan = scanJson(
          bytes,
          compileQuery(
            [],
            cut.map((name) => `/${name}`),
          ),
        );
        if (!scan.ok) throw new Error(scan.reason);
        const left: unknown = JSON.parse(decoder.decode(without(bytes, scan.cuts)));
        expect(Object.keys(Object(left))).toEqual(names.filter((name) => !cut.includes(name)));
      }
    }
  }
});

test('a member no reader could miss is never left: twice, in another case or escaped it is cut or refused', () => {
  const spellings = [
    'token',
    'TOKEN',
    'Token',
    'to\\u006ben',
    '\\u0054oken',
    'to\\u212aen',
    'toKen',
    'to\u212aen',
  ];
  const others = ['a', 'tokens', 'toke', 'to ken', 'token ', 'toen'];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...spellings, ...others), { maxLength: 4 }),
      fc.constantFrom('1', '{"token":2}', '"token"', '[{"token":3}]'),
      (members, held) => {
        const bytes = encoder.encode(`{${members.map((key) => `"${key}":${held}`).join(',')}}`);
        const scan = scanJson(bytes, compileQuery([], ['/token']));
        if (!scan.ok) return;
        const left: unknown = JSON.parse(decoder.decode(without(bytes, scan.cuts)));
        // Go's encoding/json takes the Kelvin sign for a k.
        const names = Object.keys(Object(left)).map((name) => name.replace('\u212a', 'k').toLowerCase());
        expect(names).not.toContain('token');
      },
    ),
    fuzz(2000),
  );
});

test('a scan in steps of any size cuts the same', () => {
  const query = compileQuery(['/a'], ['/a/b', '/token', '/c']);
  fc.assert(
    fc.property(json, json, fc.integer({ min: 1, max: 40 }), (one, other, size) => {
      const bytes = encoder.encode(
        JSON.stringify({ c: one, a: { b: other, d: one }, token: other }, null, 1),
      );
      const scanner = new JsonScanner(bytes, query);
      let result = scanner.step(size);
      while (result === null) result = scanner.step(size);
      expect(result).toEqual(scanJson(bytes, query));
    }),
    fuzz(300),
  );
});

test('bytes at random, most of them syntax, lose what is cut or are refused', () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a":',
    '"b":',
    '"a"',
    '1',
    'null',
    ' ',
    '{"a":1,',
    '"b":{}',
    '\n',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 14 }), (some) => {
      const bytes = encoder.encode(some.join(''));
      const scan = scanJson(bytes, compileQuery([], ['/a', '/b/a']));
      if (!scan.ok) return;
      const expected: unknown = JSON.parse(some.join(''));
      expect([remove(expected, ['a']), remove(expected, ['b', 'a'])]).not.toContain('array');
      expect(JSON.parse(decoder.decode(without(bytes, scan.cuts)))).toEqual(expected);
    }),
    fuzz(4000),
  );
});
