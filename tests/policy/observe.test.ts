import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFrom, parseObserved } from '../../policy/config-observe.ts';
import { observingOf, readChanges } from '../../policy/observe.ts';
import type { Observe, ObservedSource } from '../../policy/observe-types.ts';
import { pinSubject, pinValueFlaw } from '../../policy/pin-value.ts';
import { attribute, json, nothing, observedTypes, pinAt, read, ruleOf } from '../support/observe.ts';
import { matchOf } from '../support/policy.ts';

/** RFC 6901 §3: how a key stands in a pointer. */
const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');
const pointerOf = (keys: readonly string[]) => keys.map((key) => `/${escaped(key)}`).join('');

const oddKey = fc.oneof(
  fc.string(),
  fc.constantFrom('', '0', '01', '-', '~', '/', '~1', '__proto__', 'constructor', 'length', 'bundle_id'),
);
const keys = fc.array(oddKey, { minLength: 1, maxLength: 4 });
const pinned = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => pinValueFlaw(text) === null);

const pinTo = (value: string | null) => ({
  ok: true,
  changes: [{ kind: 'pin', pin: 'app', subject: 'project=prj_a', value }],
});

/** An answer with `leaf` at the keys, and others around it. */
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
        expect(parseFrom(`json:${pointerOf(path)}`)).toEqual({ ok: true, value: pointerOf(path) });
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

describe('a source', () => {
  test.each<[string, ObservedSource]>([
    ['json:/user/id', json('/user/id')],
    ['header:X-Client', { kind: 'header', name: 'x-client' }],
    ['{project}', { kind: 'param', param: 'project' }],
    ['token.attribute.user', { kind: 'attribute', name: 'user' }],
    ['mobile', { kind: 'text', text: 'mobile' }],
  ])('%j is read', (text, source) => {
    expect(parseObserved(text)).toEqual({ ok: true, value: source });
  });

  test.each([
    'json:user',
    'header:',
    'header:Cookie',
    'a{b}',
    'token.id',
    'set-cookie:a',
    'query:a',
    'cookie:a',
  ])('%j is refused', (text) => {
    expect(parseObserved(text).ok).toBe(false);
  });
});

describe('a pin', () => {
  test('becomes what stands at the pointer, whatever its keys are called', () => {
    fc.assert(
      fc.property(keys, pinned, (path, text) => {
        fc.pre(!path.includes('other'));
        // What only some readers would take for the same key is refused, and so is a NUL or half a character.
        fc.pre(path.every((key) => key.isWellFormed() && !key.includes('\0')));
        const entries = [pinAt(pointerOf(path))];
        expect(read(entries, { answer: answerWith(path, text) })).toEqual(pinTo(text));
        expect(read(entries, { answer: answerWith(path, null) })).toEqual(pinTo(null));
        expect(read(entries, { answer: answerWith(path, '') })).toEqual(pinTo(null));
      }),
    );
  });

  test('never becomes what does not stand in the answer as a text, nor is let go without null or ""', () => {
    fc.assert(
      fc.property(fc.jsonValue(), keys, (answer, path) => {
        const seen = read([pinAt(pointerOf(path))], { answer });
        const [change] = seen.ok ? seen.changes : [];
        if (change?.kind !== 'pin') return;
        const said = change.value === null ? /null|""/ : JSON.stringify(change.value);
        expect(JSON.stringify(answer)).toEqual(
          typeof said === 'string' ? expect.stringContaining(said) : expect.stringMatching(said),
        );
      }),
      { numRuns: 500 },
    );
  });

  test.each<[unknown, string]>([
    [{}, '/a'],
    [{ a: {} }, '/a/b'],
    [{ a: 'text' }, '/a/length'],
    [{ a: 'text' }, '/a/0'],
    [['x'], '/length'],
    [['x'], '/1'],
    [['x'], '/00'],
    [['x'], '/-'],
    [null, '/a'],
    [{}, '/__proto__'],
    [{}, '/constructor/name'],
    [[], '/map/name'],
  ])('%j has nothing at %j, and changes nothing', (answer, pointer) => {
    expect(read([pinAt(pointer)], { answer })).toEqual(nothing);
  });

  test('items of lists are found by their number', () => {
    const answer = { a: ['x', { b: 'y' }] };
    expect(read([pinAt('/a/1/b')], { answer })).toEqual(pinTo('y'));
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
    ['x'.repeat(9000)],
  ])('%j at the pointer cannot be told', (leaf) => {
    expect(read([pinAt('/a')], { answer: { a: leaf } })).toMatchObject({ ok: false });
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

describe('a request', () => {
  const rule = ruleOf([pinAt('/bundle_id')]);

  test('concerns what its path says', () => {
    const match = matchOf({ observe: rule }, { id: 'prj=a' });
    expect(observingOf(match)).toEqual({ rule, params: match.params });
    expect(observingOf(matchOf({ observe: null }))).toBeNull();
  });

  test('without that parameter is a mistake of ours, and no yes', () => {
    expect(() => observingOf(matchOf({ observe: rule }))).toThrow('parameter');
    const end: Observe = {
      kind: 'end',
      type: 'user',
      attributes: [attribute('user', { kind: 'param', param: 'id' })],
    };
    expect(() => observingOf(matchOf({ observe: ruleOf([end]) }))).toThrow('parameter');
  });

  test('that observes nothing changes nothing', () => {
    const answered = { found: new Map(), fields: new Map(), cookies: new Map() };
    expect(readChanges(observedTypes, { observing: null, token: null }, answered)).toEqual(nothing);
  });
});
