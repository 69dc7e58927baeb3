import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFrom, parseObserved } from '../../policy/config-observe.ts';
import { compileQuery } from '../../policy/json-pointer.ts';
import { scanJson } from '../../policy/json-scan.ts';
import { observingOf, readChanges } from '../../policy/observe.ts';
import type {
  Answered,
  Observe,
  ObservedChanges,
  ObservedSource,
  ObservedToken,
  ObserveRule,
} from '../../policy/observe-types.ts';
import { pinSubject, pinValueFlaw } from '../../policy/pin-value.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import { matchOf, tokenOf, typeOf } from '../support/policy.ts';

/** RFC 6901 §3: how a key stands in a pointer. */
const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');
const pointerOf = (keys: readonly string[]) => keys.map((key) => `/${escaped(key)}`).join('');

const oddKey = fc.oneof(
  fc.string(),
  fc.constantFrom('', '0', '01', '-', '~', '/', '~1', '__proto__', 'constructor', 'length', 'bundle_id'),
);
const keys = fc.array(oddKey, { minLength: 1, maxLength: 4 });
const pinned = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => pinValueFlaw(text) === null);

const user = typeOf({
  attributes: new Map([
    ['user', { required: true, list: false }],
    ['client', { required: false, list: false }],
    ['teams', { required: false, list: true }],
  ]),
  scopes: { fixed: ['a'] },
});
const types = new Map([['user', user]]);

const json = (pointer: string): ObservedSource => ({ kind: 'json', pointer });
const attribute = (name: string, from: ObservedSource, otherwise: string | null = null) => ({
  name,
  from,
  otherwise,
  list: user.attributes.get(name)?.list === true,
  needed: user.attributes.get(name)?.required === true,
});

const login: ObservedToken = {
  kind: 'token',
  type: 'user',
  from: { kind: 'json', pointer: '/token' },
  attributes: [
    attribute('user', json('/user/id')),
    attribute('client', { kind: 'header', name: 'x-client' }, 'mobile'),
  ],
  scopes: [],
  label: null,
  lifeMs: 1000,
  insteadOf: [],
};

const pinAt = (pointer: string): Observe => ({
  kind: 'pin',
  pin: 'app',
  owner: 'project',
  param: 'id',
  pointer,
});

type Asking = {
  readonly answer?: unknown;
  readonly fields?: Answered['fields'];
  readonly cookies?: Answered['cookies'];
  readonly token?: TokenRecord | null;
  readonly params?: Readonly<Record<string, string>>;
};

/** Every pointer in the entries is looked for, as the compiler has it. */
function ruleOf(entries: readonly Observe[]): ObserveRule {
  const pointers = new Set(
    [...JSON.stringify(entries).matchAll(/"pointer":("(?:[^"\\]|\\.)*")/g)].map(([, text = '""']): string =>
      JSON.parse(text),
    ),
  );
  return { entries, query: compileQuery([...pointers]), fields: [], cookies: [] };
}

function read(entries: readonly Observe[], asking: Asking = {}): ObservedChanges {
  const rule = ruleOf(entries);
  const {
    answer = {},
    fields = new Map(),
    cookies = new Map(),
    token = null,
    params = { id: 'prj_a' },
  } = asking;
  const scan = scanJson(Buffer.from(JSON.stringify(answer)), rule.query ?? expect.fail());
  if (!scan.ok) return { ok: false, reason: scan.reason };
  const observing = { rule, params: new Map(Object.entries(params)) };
  return readChanges({ types }, { observing, token }, { found: scan.found, fields, cookies });
}

const nothing = { ok: true, changes: [] };
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

describe('a token', () => {
  const answer = { user: { id: 'usr_1' }, token: '2|abc' };
  const learned = {
    kind: 'learn',
    type: user,
    plaintext: '2|abc',
    attributes: new Map([
      ['user', 'usr_1'],
      ['client', 'mobile'],
    ]),
    scopes: ['a'],
    label: 'user',
    lifeMs: 1000,
    insteadOf: null,
  };

  test('is learned with what the answer says of it', () => {
    expect(read([login], { answer })).toEqual({ ok: true, changes: [learned] });
  });

  test.each([[{}], [{ token: null }], [{ token: '' }], [{ requires_totp: true, user: 7 }], [[]], ['text']])(
    'that is not in %j is not learned, and nothing else is asked then',
    (other) => {
      expect(read([login], { answer: other })).toEqual(nothing);
    },
  );

  test.each<[string, unknown]>([
    ['a number for a token', { ...answer, token: 7 }],
    ['a list for a token', { ...answer, token: ['2|abc'] }],
    ['a token without end', { ...answer, token: 'x'.repeat(9000) }],
    ['no user', { token: '2|abc' }],
    ['null for a user', { user: { id: null }, token: '2|abc' }],
    ['an empty user', { user: { id: '' }, token: '2|abc' }],
    ['a number for a user', { user: { id: 7 }, token: '2|abc' }],
    ['a user that no header could carry', { user: { id: 'ü' }, token: '2|abc' }],
    ['a user too long', { user: { id: 'x'.repeat(201) }, token: '2|abc' }],
    ['a user without end', { user: { id: 'x'.repeat(9000) }, token: '2|abc' }],
    ['the token in another case', { ...answer, Token: 'other' }],
  ])('with %s is not learned, and the answer cannot be told', (_, other) => {
    const seen = read([login], { answer: other });
    expect(seen).toMatchObject({ ok: false });
    expect(JSON.stringify(seen)).not.toMatch(/abc|xxx|ü/);
  });

  test.each<[string, readonly string[], string]>([
    ['one value', ['web'], 'web'],
    ['none', [], 'mobile'],
    ['two', ['web', 'web'], 'mobile'],
    ['an empty one', [''], 'mobile'],
    ['one that no attribute can have', ['ü'], 'mobile'],
    ['one too long', ['x'.repeat(201)], 'mobile'],
  ])('with a header of %s has the attribute %s -> %s', (_, values, client) => {
    const seen = read([login], { answer, fields: new Map([['x-client', values]]) });
    expect(seen).toMatchObject({
      changes: [
        {
          attributes: new Map([
            ['user', 'usr_1'],
            ['client', client],
          ]),
        },
      ],
    });
  });

  test('takes attributes from path, caller and config, and a list of one', () => {
    const entry = {
      ...login,
      attributes: [
        attribute('user', { kind: 'attribute', name: 'user' }),
        attribute('client', { kind: 'text', text: 'cli' }),
        attribute('teams', { kind: 'param', param: 'id' }),
      ],
    };
    const token = tokenOf({ attributes: new Map([['user', 'usr_9']]) });
    expect(read([entry], { answer, token })).toMatchObject({
      changes: [
        {
          attributes: new Map<string, unknown>([
            ['user', 'usr_9'],
            ['client', 'cli'],
            ['teams', ['prj_a']],
          ]),
        },
      ],
    });
  });

  test('is called as the source says, if that is a label, else as its type', () => {
    const label = { from: json('/name'), otherwise: null };
    for (const [name, expected] of [
      ['My laptop', 'My laptop'],
      ['a\u0007b', 'user'],
      ['x'.repeat(121), 'user'],
      [null, 'user'],
    ]) {
      const seen = read([{ ...login, label }], { answer: { ...answer, name } });
      expect(seen).toMatchObject({ changes: [{ label: expected }] });
    }
  });

  test('stands instead of those with the same attributes', () => {
    const seen = read([{ ...login, insteadOf: ['user', 'client'] }], { answer });
    expect(seen).toMatchObject({ changes: [{ insteadOf: learned.attributes }] });
    const one = read([{ ...login, insteadOf: ['user'] }], { answer });
    expect(one).toMatchObject({ changes: [{ insteadOf: new Map([['user', 'usr_1']]) }] });
    const missing = [{ ...login, insteadOf: ['teams'] }];
    expect(() => read(missing, { answer })).toThrow('not among its attributes');
  });

  test('in a cookie is learned where it is set once, and to something', () => {
    const entry: Observe = { ...login, from: { kind: 'set-cookie', name: 'sid' } };
    const withCookies = (...values: string[]) =>
      read([entry], { answer, cookies: new Map([['sid', values]]) });
    expect(withCookies('abc')).toMatchObject({ changes: [{ plaintext: 'abc' }] });
    expect(withCookies('')).toEqual(nothing);
    expect(withCookies()).toEqual(nothing);
    expect(withCookies('abc', 'abc')).toMatchObject({ ok: false });
  });
});

describe('an end', () => {
  const needed = { ...attribute('user', json('/user/id')), needed: true };
  const end: Observe = { kind: 'end', type: 'user', attributes: [needed] };

  test('is of those the answer names', () => {
    expect(read([end], { answer: { user: { id: 'usr_1' } } })).toEqual({
      ok: true,
      changes: [{ kind: 'end', type: user, attributes: new Map([['user', 'usr_1']]) }],
    });
  });

  test('never is of more than the row says: without one value nothing can be told', () => {
    const names = ['user', 'client'] as const;
    const entry: Observe = {
      kind: 'end',
      type: 'user',
      attributes: names.map((name) => ({ ...attribute(name, json(`/${name}`)), needed: true })),
    };
    const value = fc.option(fc.oneof(fc.constantFrom('a', '', 'ü'), fc.jsonValue()));
    fc.assert(
      fc.property(value, value, (one, other) => {
        const seen = read([entry], { answer: { user: one, client: other } });
        if (!seen.ok) return;
        expect(seen.changes).toMatchObject([
          {
            attributes: new Map([
              ['user', one],
              ['client', other],
            ]),
          },
        ]);
      }),
    );
  });

  test('of every token of a type is a mistake of ours', () => {
    expect(() => read([{ ...end, attributes: [] }])).toThrow('every token');
  });

  test('of the caller is of its own token, and of nobody a mistake of ours', () => {
    const seen = read([{ kind: 'caller' }], { token: tokenOf({ id: 'tok_9' }) });
    expect(seen).toEqual({ ok: true, changes: [{ kind: 'revoke', id: 'tok_9' }] });
    expect(() => read([{ kind: 'caller' }])).toThrow('nobody');
  });

  test('comes before what is learned, wherever it is written', () => {
    const answer = { user: { id: 'usr_1' }, token: '2|abc', bundle_id: 'com.example.a' };
    const token = tokenOf({ id: 'tok_9' });
    fc.assert(
      fc.property(
        fc.shuffledSubarray([login, end, { kind: 'caller' } as const, pinAt('/bundle_id')], { minLength: 4 }),
        (entries) => {
          const seen = read(entries, { answer, token });
          const order = seen.ok ? seen.changes.map(({ kind }) => kind) : [];
          expect(order).toEqual(['pin', 'revoke', 'end', 'learn']);
        },
      ),
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
    expect(readChanges({ types }, { observing: null, token: null }, answered)).toEqual(nothing);
  });
});
