import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admit } from '../../policy/decide.ts';
import { foldName, identityFields, isReserved } from '../../policy/identity.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { IdentityField, Permit } from '../../policy/types.ts';
import { fuzz } from '../support/fuzz.ts';
import { factsOf, identityOf, matchOf, owesNothing, tokenOf } from '../support/policy.ts';

function permitOf(token: TokenRecord | null, scopes: readonly string[] = []): Permit {
  const match = matchOf({ id: 'main GET /a', api: 'main' });
  return admit({ match, facts: factsOf(), token, scopes, charges: [], ...owesNothing }, []);
}

function said(from: IdentityField, token: TokenRecord | null, scopes: readonly string[] = []) {
  return identityFields(identityOf({ headers: [{ name: 'X-A', from }] }), permitOf(token, scopes));
}

describe('what the upstream is told', () => {
  const attributes = new Map<string, string | readonly string[]>([
    ['project', 'p1'],
    ['projects', ['p1', 'p2']],
  ]);
  const token = tokenOf({ id: 'tok_9', label: 'CI key', attributes });
  test.each<[IdentityField, string]>([
    [{ kind: 'token.id' }, 'tok_9'],
    [{ kind: 'token.type' }, 'user'],
    [{ kind: 'token.label' }, 'CI key'],
    [{ kind: 'token.scopes' }, 'a b'],
    [{ kind: 'route.id' }, 'main GET /a'],
    [{ kind: 'api' }, 'main'],
    [{ kind: 'token.attribute', name: 'project' }, 'p1'],
    [{ kind: 'token.attribute', name: 'projects' }, 'p1,p2'],
  ])('%j', (from, value) => {
    expect(said(from, token, ['a', 'b'])).toEqual([['X-A', value]]);
  });

  test('scopes are the effective ones of the permit, not those of the record', () => {
    expect(said({ kind: 'token.scopes' }, tokenOf({ scopes: ['admin'] }), ['a'])).toEqual([['X-A', 'a']]);
  });

  test.each<[IdentityField]>([
    [{ kind: 'token.id' }],
    [{ kind: 'token.type' }],
    [{ kind: 'token.label' }],
    [{ kind: 'token.scopes' }],
    [{ kind: 'token.attribute', name: 'project' }],
  ])('nobody has no %j: the field is absent, not empty', (from) => {
    expect(said(from, null)).toEqual([]);
  });

  test('a value that is absent, empty or not printable ASCII is left out', () => {
    expect(said({ kind: 'token.attribute', name: '__proto__' }, token)).toEqual([]);
    expect(said({ kind: 'token.scopes' }, token, [])).toEqual([]);
    for (const label of ['', 'a\r\nX-Admin: 1', 'a\nb', 'a\0b', 'naïve', '\x7f', '\t']) {
      expect(said({ kind: 'token.label' }, tokenOf({ label }))).toEqual([]);
    }
  });

  test('a value that a field would not keep whole, for a space at its end, is left out', () => {
    for (const label of [' a', 'a ', ' ']) {
      expect(said({ kind: 'token.label' }, tokenOf({ label }))).toEqual([]);
    }
    expect(said({ kind: 'token.label' }, tokenOf({ label: 'a b' }))).toHaveLength(1);
  });

  test('fields come in the order of the config, each once', () => {
    const headers = [
      { name: 'X-B', from: { kind: 'api' } as const },
      { name: 'X-Postern-Id', from: { kind: 'token.id' } as const },
    ];
    expect(identityFields(identityOf({ headers }), permitOf(token))).toEqual([
      ['X-B', 'main'],
      ['X-Postern-Id', 'tok_9'],
    ]);
  });
});

describe('a reserved name', () => {
  const rule = identityOf({ reservedNames: new Set(['remote-user', 'x-auth-id']) });

  test.each(['_', '.', '^', '!', '+', '|', '~', '-', ' ', '*', "'", '`', '#', '$', '%', '&', '\0', 'é'])(
    'is reserved with "%s" for any dash',
    (mark) => {
      for (const name of [`X${mark}Postern${mark}Scopes`, `x-postern${mark}id`, `X${mark}POSTERN-`]) {
        expect([name, isReserved(rule, name)]).toEqual([name, true]);
      }
      for (const name of [`Remote${mark}User`, `x${mark}auth-id`, `X-Auth${mark}Id`]) {
        expect([name, isReserved(rule, name)]).toEqual([name, true]);
      }
    },
  );

  test('names that only resemble it are free', () => {
    for (const name of [
      'X-Postern',
      'XPostern-Id',
      'X-Posternx-Id',
      'A-X-Postern-Id',
      'Remote-Users',
      'RemoteUser',
    ]) {
      expect([name, isReserved(rule, name)]).toEqual([name, false]);
    }
  });

  test('stays reserved however its case and marks are mixed', () => {
    const names = fc.constantFrom('x-postern-scopes', 'x-postern-token-id', 'remote-user', 'x-auth-id');
    const marks = fc.array(fc.constantFrom(...'_.^!+|~-*%'), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(names, marks, fc.infiniteStream(fc.boolean()), (name, [...chosen], upper) => {
        const spelled = [...name]
          .map((char) => (char === '-' ? (chosen.pop() ?? '-') : char))
          .map((char) => (upper.next().value ? char.toUpperCase() : char))
          .join('');
        expect(foldName(spelled)).toBe(name);
        expect(isReserved(rule, spelled)).toBe(true);
      }),
      fuzz(1000),
    );
  });
});
