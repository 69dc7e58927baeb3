import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFrom } from '../../policy/config-observe.ts';
import { observationsOf, observe } from '../../policy/observe.ts';
import { pinSubject, pinValueFlaw } from '../../policy/pin-value.ts';
import type { Observe } from '../../policy/types.ts';
import { matchOf } from '../support/policy.ts';

/** RFC 6901 §3: how a key stands in a pointer. */
const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');
const pointerText = (keys: readonly string[]) => `json:/${keys.map(escaped).join('/')}`;

const oddKey = fc.oneof(
  fc.string(),
  fc.constantFrom('', '0', '01', '-', '~', '/', '~1', '__proto__', 'constructor', 'length', 'bundle_id'),
);
const keys = fc.array(oddKey, { minLength: 1, maxLength: 4 });
const value = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => pinValueFlaw(text) === null);

/** An answer with `leaf` at the keys, and others around it; read as JSON, as an answer is. */
function answerWith(path: readonly string[], leaf: unknown): unknown {
  const text = path.reduceRight(
    (inner, key) => `{"other":1,${JSON.stringify(key)}:${inner}}`,
    JSON.stringify(leaf),
  );
  return JSON.parse(text);
}

describe('a pointer', () => {
  test('is read back as it was written', () => {
    fc.assert(
      fc.property(keys, (path) => {
        expect(parseFrom(pointerText(path))).toEqual({ ok: true, value: path });
      }),
    );
  });

  test.each(['', 'json:', 'bundle_id', '/bundle_id', 'json:bundle_id', 'header:X', 'json:/a~', 'json:/a~2'])(
    '%j is refused',
    (text) => {
      expect(parseFrom(text).ok).toBe(false);
    },
  );
});

describe('an answer', () => {
  test('says what stands at the pointer, whatever its keys are called', () => {
    fc.assert(
      fc.property(keys, value, (path, text) => {
        fc.pre(!path.includes('other'));
        expect(observe(answerWith(path, text), path)).toEqual({ kind: 'changed', value: text });
        expect(observe(answerWith(path, null), path)).toEqual({ kind: 'changed', value: null });
        expect(observe(answerWith(path, ''), path)).toEqual({ kind: 'changed', value: null });
      }),
    );
  });

  test('never changes a pin to what does not stand in it as a text, nor lets go without null or ""', () => {
    fc.assert(
      fc.property(fc.jsonValue(), keys, (answer, path) => {
        const seen = observe(answer, path);
        if (seen.kind !== 'changed') return;
        const said = seen.value === null ? /null|""/ : JSON.stringify(seen.value);
        expect(JSON.stringify(answer)).toEqual(
          typeof said === 'string' ? expect.stringContaining(said) : expect.stringMatching(said),
        );
      }),
      { numRuns: 500 },
    );
  });

  test.each<[unknown, string[]]>([
    [{}, ['a']],
    [{ a: {} }, ['a', 'b']],
    [{ a: 'text' }, ['a', 'length']],
    [{ a: 'text' }, ['a', '0']],
    [['x'], ['length']],
    [['x'], ['1']],
    [['x'], ['00']],
    [['x'], ['-']],
    [null, ['a']],
    [{}, ['__proto__']],
    [{}, ['constructor', 'name']],
    [[], ['map', 'name']],
  ])('%j has nothing at %j', (answer, path) => {
    expect(observe(answer, path)).toEqual({ kind: 'unchanged' });
  });

  test('items of lists are found by their number', () => {
    expect(observe({ a: ['x', { b: 'y' }] }, ['a', '1', 'b'])).toEqual({ kind: 'changed', value: 'y' });
  });

  test.each([
    [7],
    [0],
    [true],
    [false],
    [{}],
    [[]],
    [['a']],
    ['a\nb'],
    ['\u0000'],
    ['\ud800'],
    ['x'.repeat(1001)],
  ])('%j at the pointer cannot be told', (leaf) => {
    expect(observe({ a: leaf }, ['a'])).toMatchObject({ kind: 'unreadable' });
  });
});

describe('a request', () => {
  const observed: Observe = { pin: 'app', owner: 'project', param: 'id', pointer: ['bundle_id'] };

  test('concerns the pin of the parameter in its path', () => {
    const match = { ...matchOf({ observe: [observed] }), params: new Map([['id', 'prj=a']]) };
    expect(observationsOf(match)).toEqual([{ pin: 'app', subject: 'project=prj=a', pointer: ['bundle_id'] }]);
    expect(observationsOf(matchOf({ observe: [] }))).toEqual([]);
  });

  test('without that parameter is a mistake of ours, and no yes', () => {
    expect(() => observationsOf(matchOf({ observe: [observed] }))).toThrow('parameter');
  });

  test('no two owners or values are spelled as the same subject', () => {
    const owner = fc.stringMatching(/^[A-Za-z0-9_.-]{1,8}$/);
    fc.assert(
      fc.property(owner, fc.string(), owner, fc.string(), (a, x, b, y) => {
        expect(pinSubject(a, x) === pinSubject(b, y)).toBe(a === b && x === y);
      }),
    );
  });
});
