/** A key that stands twice is found wherever it is and however it is written, and nothing else is taken for one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { doubleKey } from '../../policy/json-double.ts';
import { fuzz } from '../support/fuzz.ts';

test.each<[text: string, way: readonly (string | number)[] | null]>([
  ['{"a":1,"a":2}', ['a']],
  ['{"a":1,"\\u0061":2}', ['a']],
  ['{"a/b":1,"a\\/b":2}', ['a/b']],
  ['{"":1,"":2}', ['']],
  ['{"__proto__":1,"__proto__":2}', ['__proto__']],
  ['{"a":{"b":1,"c":2,"b":3}}', ['a', 'b']],
  ['[0,[{"a":1}],{"a":1,"b":[2],"a":3}]', [2, 'a']],
  ['{"a":[{"b":1},{"b":1,"b":1}]}', ['a', 1, 'b']],
  [' { "a" : 1 , "b" : { } , "a" : 2 } ', ['a']],
  ['{"a":1,"A":2}', null],
  ['{"a":"a","b":"a"}', null],
  ['{"a":["a","a"]}', null],
  ['{"a":{"a":{"a":1}}}', null],
  ['[{"a":1},{"a":1}]', null],
  ['{"a":"{\\"b\\":1,\\"b\\":2}","c":"\\\\","d":"[,{"}', null],
  ['"a"', null],
  ['7', null],
  ['[]', null],
])('%s', (text, way) => {
  JSON.parse(text);
  expect(doubleKey(text)).toEqual(way);
});

test('no value that was written by a program has one', () => {
  const value = fc.jsonValue({ maxDepth: 5 });
  const indent = fc.constantFrom(undefined, 1, '\t');
  fc.assert(
    fc.property(value, indent, (json, space) => {
      expect(doubleKey(JSON.stringify(json, null, space))).toBeNull();
    }),
    fuzz(500),
  );
});

type Value = null | number | string | readonly Value[] | { readonly [key: string]: Value };

/** Each character as it is, or as \u. */
function quoted(key: string, escapes: boolean): string {
  if (!escapes) return JSON.stringify(key);
  const units = Array.from({ length: key.length }, (_, at) =>
    key.charCodeAt(at).toString(16).padStart(4, '0'),
  );
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}

test('wherever one is put, it is found, and the way to it is told', () => {
  const { value } = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constant(null),
      fc.integer(),
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 3 }), tie('value'), { maxKeys: 3 }),
    ),
  }));
  const steps = fc.array(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 3 }), fc.nat(2)), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(value, value, steps, fc.string(), fc.boolean(), (first, second, way, key, escapes) => {
      const twice = `{"before":[],${quoted(key, false)}:${JSON.stringify(first)},"x":{},${quoted(key, escapes)}:${JSON.stringify(second)}}`;
      fc.pre(key !== 'before' && key !== 'x');
      const text = way.reduceRight<string>(
        (inner, step) =>
          typeof step === 'number'
            ? `[${'{"a":1,"b":"}"},'.repeat(step)}${inner}]`
            : `{${JSON.stringify(`${step} before`)}:${JSON.stringify(second)},${JSON.stringify(step)}: ${inner}}`,
        twice,
      );
      JSON.parse(text);
      expect(doubleKey(text)).toEqual([...way, key]);
    }),
    fuzz(200),
  );
});

test('64 KiB of brackets, or of one string, are read in one pass', () => {
  const depth = 5_000;
  expect(doubleKey(`${'['.repeat(depth)}${']'.repeat(depth)}`)).toBeNull();
  expect(doubleKey(`{"a":"${'\\\\'.repeat(30_000)}","a":1}`)).toEqual(['a']);
  expect(doubleKey(`{"a":"${'b'.repeat(60_000)}"}`)).toBeNull();
});
