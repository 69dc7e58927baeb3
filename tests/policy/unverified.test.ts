/** Credentials that only the upstream can verify: let on by rows that say so, and by no others. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertionClaims } from '../../policy/assertion.ts';
import { admit, decide } from '../../policy/decide.ts';
import { identityFields } from '../../policy/identity.ts';
import { lostStanding } from '../../policy/standing.ts';
import type { Presentation, Source, TokenType } from '../../policy/token-types.ts';
import type { Cell, Claim, Route } from '../../policy/types.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';
import { fuzz } from '../support/fuzz.ts';
import {
  accessOf,
  assertionOf,
  factsOf,
  identityOf,
  matchOf,
  noon,
  owesNothing,
  policyOf,
  tokenOf,
  typeOf,
} from '../support/policy.ts';

const guest = typeOf({ name: 'guest', prefix: '', prefixes: [], verify: 'upstream', scopes: { fixed: [] } });
const policy = policyOf([typeOf(), guest]);
const bearer: Source = { kind: 'bearer' };

const scope = fc.constantFrom('a', 'b');
const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant<Cell>({ kind: 'any' }),
  fc
    .tuple(fc.constantFrom('all' as const, 'either' as const), fc.uniqueArray(scope, { minLength: 1 }))
    .map(([kind, scopes]): Cell => ({ kind, scopes })),
);
const access = fc.oneof(
  fc.constant('public' as const),
  fc
    .dictionary(fc.constantFrom('user', 'guest', 'other'), cell)
    .map((cells) => new Map(Object.entries(cells))),
);
const bind = fc.constantFrom<Route['bind']>([], [], [{ param: 'p', attribute: 'project', refuseAs: 404 }]);
const route = fc.record({ access, bind });
const name = fc.constantFrom('guest', 'guest', 'guest', 'user', 'other', 'gone', '__proto__');
const token = fc.constantFrom(null, null, tokenOf({ scopes: ['a'] }), tokenOf({ type: 'guest' }));

function judged(
  row: Partial<Route>,
  unverified: string | undefined,
  held: ReturnType<typeof tokenOf> | null,
) {
  const presented: Presentation = {
    source: bearer,
    csrf: [],
    ...(unverified !== undefined && { unverified }),
  };
  return decide(policy, matchOf(row, { p: 'p1' }), factsOf(), held, noon, undefined, presented);
}

describe('for every row, type and token', () => {
  test('a credential nobody verified passes only where the row says any_scope of its type, and binds nothing', () => {
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(route, name, token, (row, unverified, held) => {
        const outcome = judged(row, unverified, held);
        const key = outcome.ok ? 'yes' : outcome.denial.code;
        outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
        if (!outcome.ok || row.access === 'public') return;
        expect([unverified, held, row.access.get('guest')?.kind, row.bind]).toEqual([
          'guest',
          null,
          'any',
          [],
        ]);
        const permit = admit(outcome.value, []);
        expect(permit).toMatchObject({
          token: null,
          scopes: [],
          unverified: { type: 'guest', source: bearer },
        });
      }),
      fuzz(5000),
    );
    for (const kind of ['yes', 'type_not_allowed', 'scope_missing', 'bind_mismatch', 'token_unknown']) {
      expect(outcomes.get(kind) ?? 0, kind).toBeGreaterThan(20);
    }
  });

  test('a record of such a type, from when it was verified here, opens nothing', () => {
    fc.assert(
      fc.property(route, (row) => {
        if (row.access === 'public') return;
        const outcome = judged(row, undefined, tokenOf({ type: 'guest', scopes: ['a', 'b'] }));
        expect(outcome).toMatchObject({ ok: false, denial: { code: 'token_unknown' } });
      }),
      fuzz(1000),
    );
    expect(lostStanding(policy, tokenOf({ type: 'guest' }), noon)?.code).toBe('token_unknown');
    expect(lostStanding(policy, tokenOf(), noon)).toBeNull();
  });

  test('where nobody says that it is unverified, nobody is let in', () => {
    const row = { access: accessOf({ guest: 'any_scope' }) };
    expect(judged(row, undefined, null)).toMatchObject({ ok: false, denial: { code: 'token_unknown' } });
  });
});

describe('a permit', () => {
  const claimOf = (fields: Partial<Claim>): Claim => ({
    match: matchOf({ access: accessOf({ guest: 'any_scope', user: 'a' }) }),
    facts: factsOf(),
    token: null,
    scopes: [],
    charges: [],
    ...owesNothing,
    ...fields,
  });
  const unverified = { type: 'guest', source: bearer };

  test('is never made for nobody, but on a public row', () => {
    expect(() => admit(claimOf({}), [])).toThrow('nobody, on a row that is not public');
    expect(admit(claimOf({ match: matchOf({ access: 'public' }) }), []).token).toBeNull();
  });

  test('is made for an unverified credential only where the row hands it on', () => {
    expect(admit(claimOf({ unverified }), []).unverified).toEqual(unverified);
    const no = 'a token nobody verified, on a row that does not hand it on';
    for (const type of ['user', 'other']) {
      expect(() => admit(claimOf({ unverified: { type, source: bearer } }), [])).toThrow(no);
    }
    expect(() => admit(claimOf({ unverified, match: matchOf({ access: 'public' }) }), [])).toThrow(no);
    const both = claimOf({ unverified, token: tokenOf() });
    expect(() => admit(both, [])).toThrow('a token that is verified and is not');
  });

  test('tells the upstream nothing of an unverified caller, and nothing of it can be signed', () => {
    const headers = (['token.id', 'token.type', 'token.scopes', 'token.label', 'route.id'] as const).map(
      (kind) => ({ name: kind, from: { kind } }),
    );
    const permit = admit(claimOf({ unverified }), []);
    expect(identityFields(identityOf({ headers }), permit).map(([name]) => name)).toEqual(['route.id']);
    expect(assertionClaims(assertionOf(), permit)).toBeNull();
  });
});

describe('a config with such a type', () => {
  const text = (type: string) =>
    smallConfig
      .replace('scopes:\n  events:read', `  guest: ${type}\nscopes:\n  events:read`)
      .replace('routes:\n', 'routes:\n      GET /guests: { allow: { guest: any_scope } }\n');

  test('warns once that the upstream must verify it, and knows nothing of it', () => {
    const { policy: compiled, warnings } = loaded(
      text('{ prefix: g_, verify: upstream, checksum: required }'),
    );
    expect(warnings.map(({ message, path }) => [path, message])).toEqual([
      ['token_types.guest', 'Postern does not verify tokens of type "guest"; the upstream must'],
    ]);
    const type: TokenType | undefined = compiled.types.get('guest');
    expect(type).toMatchObject({ verify: 'upstream', checksum: true, scopes: { fixed: [] } });
  });

  test('may leave out its prefix where its source is its own', () => {
    const own = '{ verify: upstream, sources: [header:X-Guest], format: id_pipe_random }';
    expect(loaded(text(own)).policy.types.get('guest')).toMatchObject({
      prefixes: [],
      format: 'id_pipe_random',
    });
  });
});
