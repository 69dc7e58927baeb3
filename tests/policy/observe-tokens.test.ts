import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Observe } from '../../policy/observe-types.ts';
import { attribute, json, login, nothing, pinAt, read, user } from '../support/observe.ts';
import { tokenOf } from '../support/policy.ts';

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
    owners: ['user'],
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

  test('takes from a header only what it may say, where that is written', () => {
    const clientOf = (value: string) => {
      const attributes = login.attributes.map((one) =>
        one.name === 'client' ? { ...one, among: ['mobile', 'web'] } : one,
      );
      const seen = read([{ ...login, attributes }], { answer, fields: new Map([['x-client', [value]]]) });
      return seen.ok && seen.changes[0]?.kind === 'learn' ? seen.changes[0].attributes.get('client') : null;
    };
    expect(['web', 'WEB', 'web ', 'admin', ''].map(clientOf)).toEqual(['web', ...Array(4).fill('mobile')]);
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
