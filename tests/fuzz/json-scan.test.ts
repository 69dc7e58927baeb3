/** The scanner beside `JSON.parse`: what one takes the other takes, less what is refused on purpose, and values agree. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileQuery, foldKey, parsePointer } from '../../policy/json-pointer.ts';
import { depthMax, type JsonFound, type JsonScan, JsonScanner, scanJson } from '../../policy/json-scan.ts';
import { fuzz } from '../support/fuzz.ts';

const pointers = ['', '/a', '/a/b', '/a/0/b', '/app_id', '/events', '/x~1y', '/m~0n', '/0', '/é'];
const query = compileQuery(pointers);
const encoder = new TextEncoder();

/** RFC 6901 on a parsed value; undefined: nothing is there. */
function valueAt(root: unknown, pointer: string): unknown {
  const steps = parsePointer(pointer);
  if (!steps.ok) throw new Error(steps.message);
  return steps.value.reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value)) return /^(?:0|[1-9][0-9]*)$/.test(step) ? value[Number(step)] : undefined;
    return Object.hasOwn(value, step) ? (value as Record<string, unknown>)[step] : undefined;
  }, root);
}

function foundAs(value: unknown): JsonFound | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return { kind: 'string', value };
  if (Array.isArray(value)) return { kind: 'array', items: value.length };
  if (value === null) return { kind: 'null' };
  const kind = typeof value;
  return kind === 'number' || kind === 'boolean' ? { kind } : { kind: 'object' };
}

function parsed(bytes: Uint8Array): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) };
  } catch {
    return null;
  }
}

/** Why a text that `JSON.parse` takes may be refused; the proof is cruder than the scanner, never finer. */
const onPurpose: readonly (readonly [reason: RegExp, proof: (text: string) => boolean])[] = [
  [/^deeper than/, (text) => (text.match(/[[{]/g)?.length ?? 0) > depthMax],
  [/stands twice$/, (text) => (text.match(/"\s*:/g)?.length ?? 0) > 1],
  [/stands in another case$/, (text) => /[A-ZÉ]|\\u/.test(text)],
  [/lone surrogate or NUL$/, (text) => /\\u(?:0000|d[89a-f])/i.test(text)],
];

function check(bytes: Uint8Array): JsonScan {
  const scan = scanJson(bytes, query);
  const truth = parsed(bytes);
  if (scan.ok) {
    if (truth === null) throw new Error('JSON.parse refuses it');
    for (const pointer of pointers) {
      expect([pointer, scan.found.get(pointer)]).toEqual([pointer, foundAs(valueAt(truth.value, pointer))]);
    }
  } else if (truth !== null) {
    const text = new TextDecoder().decode(bytes);
    const fair = onPurpose.some(([reason, proof]) => reason.test(scan.reason) && proof(text));
    if (!fair) throw new Error(`JSON.parse takes it: ${scan.reason} at ${scan.at}`);
  }
  return scan;
}

const key = fc.oneof(
  fc.constantFrom('a', 'b', 'app_id', 'events', 'x/y', 'm~n', '0', 'é', 'A', 'App_Id', '__proto__', ''),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
);
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('\ud800', 'com.acme', '\0'),
);
const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5 }),
  ),
}));

/** The same JSON in another dress: space between tokens, characters as escapes. */
function dressed(value: unknown, pick: (below: number) => number): string {
  const space = () => ['', '', ' ', '\t', '\r\n'][pick(5)] ?? '';
  const string = (plain: string) =>
    `"${[
      ...JSON.stringify(plain)
        .slice(1, -1)
        .matchAll(/\\u[0-9a-f]{4}|\\.|[\s\S]/g),
    ]
      .map(([unit]) => {
        if (unit.length > 1 || pick(4) > 0) return unit;
        return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
      })
      .join('')}"`;
  const write = (one: unknown): string => {
    if (typeof one === 'string') return string(one);
    if (Array.isArray(one)) return `[${space()}${one.map(write).join(`${space()},${space()}`)}${space()}]`;
    if (typeof one !== 'object' || one === null) return JSON.stringify(one);
    const members = Object.entries(one).map(
      ([name, held]) => `${string(name)}${space()}:${space()}${write(held)}`,
    );
    return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`;
  };
  return space() + write(value) + space();
}

test('every JSON text in any dress is read as JSON.parse reads it', () => {
  let taken = 0;
  fc.assert(
    fc.property(json, fc.infiniteStream(fc.nat(1000)), (value, chance) => {
      const pick = (below: number) => chance.next().value % below;
      if (check(encoder.encode(dressed(value, pick))).ok) taken++;
    }),
    fuzz(3000),
  );
  expect(taken).toBeGreaterThan(1000);
});

test('a text with a byte changed, cut, doubled or put in is taken by both or by neither', () => {
  const bytes = fc.oneof(
    fc.constantFrom(...[...'[]{}:,"\\u0dtfn-+.eE '].map((c) => c.charCodeAt(0))),
    fc.nat(255),
  );
  fc.assert(
    fc.property(
      json,
      fc.array(
        fc.record({
          at: fc.double({ min: 0, max: 1, noNaN: true }),
          cut: fc.nat(2),
          put: fc.array(bytes, { maxLength: 3 }),
        }),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      (value, edits) => {
        let body = [...encoder.encode(JSON.stringify(value))];
        for (const { at, cut, put } of edits) {
          const place = Math.floor(at * body.length);
          body = [...body.slice(0, place), ...put, ...body.slice(place + cut)];
        }
        check(Uint8Array.from(body));
      },
    ),
    fuzz(6000),
  );
});

test('bytes at random, most of them syntax, are taken by both or by neither', () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"a"',
    '"a":',
    '1',
    '-',
    '0',
    '.5',
    'e3',
    'true',
    'null',
    ' ',
    '\\',
    '\\u00',
    'é',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (some) => {
      check(encoder.encode(some.join('')));
    }),
    fuzz(6000),
  );
});

test('strings of any bytes are UTF-8 for both or for neither', () => {
  const byte = fc.oneof(
    fc.integer({ min: 0x80, max: 0xff }),
    fc.constantFrom(0x41, 0xe0, 0xed, 0xf0, 0xf4, 0xc0),
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 6 }), (inner) => {
      check(Uint8Array.from([0x22, ...inner, 0x22]));
    }),
    fuzz(6000),
  );
});

test('a scan in steps of any size says the same', () => {
  fc.assert(
    fc.property(json, fc.integer({ min: 1, max: 64 }), fc.boolean(), (value, size, spoil) => {
      const bytes = encoder.encode(
        JSON.stringify({ a: value, app_id: 'x', events: [1, value] }) + (spoil ? ',' : ''),
      );
      const scanner = new JsonScanner(bytes, query);
      let result = scanner.step(size);
      for (let steps = 0; result === null; steps++) {
        if (steps > bytes.length) throw new Error('it stands still');
        result = scanner.step(size);
      }
      expect(result).toEqual(scanJson(bytes, query));
    }),
    fuzz(500),
  );
});

test('no character makes a key shorter when it is folded, so long keys need not be', () => {
  for (let point = 0; point <= 0x10ffff; point++) {
    const character = String.fromCodePoint(point);
    if (foldKey(character).length < character.length) throw new Error(`U+${point.toString(16)}`);
  }
});

test('two characters that some reader without case takes for one fold alike', () => {
  // Unicode's simple folding, as Go's encoding/json: of each whatever upper or lower case makes of it, back and forth.
  for (let point = 0; point < 0x20000; point++) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    const character = String.fromCodePoint(point);
    const [lower, upper] = [character.toLowerCase(), character.toUpperCase()];
    if (lower === character && upper === character) continue;
    const alike = new RegExp(`^\\u{${point.toString(16)}}$`, 'iu');
    for (const other of [lower, upper, lower.toUpperCase(), upper.toLowerCase()]) {
      if (alike.test(other) && foldKey(other) !== foldKey(character)) {
        throw new Error(`U+${point.toString(16)} and ${other}`);
      }
    }
  }
});
