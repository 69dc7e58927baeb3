import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admit, decide } from '../../policy/decide.ts';
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import type { Cell, Claim, Outcome, Permit, Route } from '../../policy/types.ts';
import { fuzz } from '../support/fuzz.ts';
import {
  accessOf,
  factsOf,
  limitOf,
  matchOf,
  noon,
  owesNothing,
  policyOf,
  routeOf,
  stateOf,
  tokenOf,
  typeOf,
} from '../support/policy.ts';

type World = {
  readonly type: TokenType;
  readonly token: TokenRecord | null;
  readonly route: Partial<Route>;
  readonly now: number;
};

function judged({ type, token, route, now }: World): Outcome<Claim> {
  return decide(policyOf([type]), matchOf(route), factsOf(), token, now);
}

function answer(world: World): string {
  const outcome = judged(world);
  return outcome.ok ? 'yes' : outcome.denial.code;
}

const scope = fc.constantFrom('a', 'b', 'c', 'd');
const scopes = fc.uniqueArray(scope);
const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant<Cell>({ kind: 'any' }),
  fc
    .tuple(fc.constantFrom('all' as const, 'either' as const), fc.uniqueArray(scope, { minLength: 1 }))
    .map(([kind, names]): Cell => ({ kind, scopes: names })),
);
const access = fc.oneof(
  { weight: 1, arbitrary: fc.constant('public' as const) },
  {
    weight: 9,
    arbitrary: fc
      .dictionary(fc.constantFrom('user', 'other'), cell)
      .map((cells) => new Map(Object.entries(cells))),
  },
);
const instant = fc.oneof(fc.constant(null), fc.constantFrom(noon - 1, noon, noon + 1), fc.integer());
const token: fc.Arbitrary<TokenRecord> = fc
  .record({
    type: fc.constantFrom('user', 'user', 'user', 'other', 'gone'),
    scopes,
    notBefore: instant,
    expiresAt: instant,
    retireAt: instant,
    disabledAt: instant,
    revokedAt: instant,
    origins: fc.constantFrom<readonly string[]>([], [], ['https://app.test']),
  })
  .map(tokenOf);
/** Alive, so that what is tested decides. */
const liveToken = scopes.map((granted) => tokenOf({ scopes: granted }));
const type = fc.oneof(
  scopes.map((fixed) => typeOf({ scopes: { fixed } })),
  scopes.map((grantable) => typeOf({ scopes: { grantable } })),
);
const route = fc.record({
  access,
  originPin: fc.constantFrom(null, { kind: 'origin' as const, name: 'site', whenMissing: 'deny' as const }),
});
const world = fc.record({
  type,
  token: fc.oneof(token, token, liveToken, fc.constant(null)),
  route,
  now: fc.constant(noon),
});

describe('for every row, type and token', () => {
  test('granting or fixing one scope more never turns yes into no', () => {
    fc.assert(
      fc.property(world, scope, (before, extra) => {
        if (before.token === null || answer(before) !== 'yes') return;
        const given = { ...before.token, scopes: [...before.token.scopes, extra] };
        expect(answer({ ...before, token: given })).toBe('yes');
        const { scopes: own } = before.type;
        const more =
          'fixed' in own ? { fixed: [...own.fixed, extra] } : { grantable: [...own.grantable, extra] };
        expect(answer({ ...before, type: { ...before.type, scopes: more } })).toBe('yes');
      }),
      fuzz(3000),
    );
  });

  test('taking a type out of the row never turns no into yes, and never leaves that type a yes', () => {
    fc.assert(
      fc.property(world, fc.constantFrom('user', 'other'), (before, name) => {
        const cells = before.route.access;
        if (cells === 'public') return;
        const without = new Map(cells);
        without.delete(name);
        const after = answer({ ...before, route: { ...before.route, access: without } });
        if (answer(before) !== 'yes' || before.token?.type === name) expect(after).not.toBe('yes');
        else expect(after).toBe('yes');
      }),
      fuzz(3000),
    );
  });

  test('a yes on a row that is not public has a live token of a type in the row', () => {
    let yes = 0;
    fc.assert(
      fc.property(world, (given) => {
        if (answer(given) !== 'yes' || given.route.access === 'public') return;
        yes++;
        const { token: held, now } = given;
        expect(held).not.toBeNull();
        if (held === null) return;
        expect(given.route.access.has(held.type)).toBe(true);
        expect(held.revokedAt).toBeNull();
        expect(held.disabledAt).toBeNull();
        for (const end of [held.expiresAt, held.retireAt]) expect(end ?? now + 1).toBeGreaterThan(now);
        expect(held.notBefore ?? now).toBeLessThanOrEqual(now);
      }),
      fuzz(3000),
    );
    expect(yes).toBeGreaterThan(20);
  });

  test('a revoked or expired token is never a yes, whatever else fits', () => {
    fc.assert(
      fc.property(world, fc.integer(), fc.nat(), (given, at, ago) => {
        if (given.token === null || given.route.access === 'public') return;
        const ended = [{ revokedAt: at }, { expiresAt: given.now - ago }, { retireAt: given.now - ago }];
        for (const end of ended)
          expect(answer({ ...given, token: { ...given.token, ...end } })).not.toBe('yes');
      }),
      fuzz(2000),
    );
  });
});

describe('deadlines act at their millisecond', () => {
  const at = (fields: Partial<TokenRecord>, now: number) =>
    answer({
      type: typeOf(),
      token: tokenOf(fields),
      route: { access: accessOf({ user: 'any_scope' }) },
      now,
    });
  test.each([
    [-1, 'yes', 'token_disabled'],
    [0, 'token_expired', 'yes'],
    [1, 'token_expired', 'yes'],
  ])('%i ms from it: the end says %s, the beginning %s', (offset, end, beginning) => {
    expect(at({ expiresAt: noon }, noon + offset)).toBe(end);
    expect(at({ retireAt: noon }, noon + offset)).toBe(end);
    expect(at({ notBefore: noon }, noon + offset)).toBe(beginning);
  });
});

describe('the steps', () => {
  const pin = { kind: 'origin' as const, name: 'site', whenMissing: 'deny' as const };
  const fence = { kind: 'cidr' as const, name: 'office', allow: [{ groups: [0xcb00, 0x7100], bits: 24 }] };
  const bind = [{ param: 'p', attribute: 'project', refuseAs: 403 as const }];
  const wrong = tokenOf({
    revokedAt: 1,
    expiresAt: 1,
    disabledAt: 1,
    scopes: [],
    origins: ['https://app.test'],
  });

  test('are taken in the promised order, and the first no ends them', () => {
    const strict = { access: accessOf({ other: 'a' }), originPin: pin, addressPin: fence, bind };
    const byCookie = { kind: 'cookie' as const, name: 's' };
    const cured: readonly [Partial<TokenRecord>, Partial<Route>, string][] = [
      [{}, {}, 'token_revoked'],
      [{ revokedAt: null }, {}, 'token_expired'],
      [{ expiresAt: null }, {}, 'token_disabled'],
      [{ disabledAt: null }, {}, 'type_not_allowed'],
      [{}, { access: accessOf({ user: 'a' }) }, 'scope_missing'],
      [{ scopes: ['a'] }, {}, 'csrf_invalid'],
      [{ attributes: new Map([['csrf', 'right']]) }, {}, 'bind_mismatch'],
      [
        {
          attributes: new Map([
            ['csrf', 'right'],
            ['project', 'p1'],
          ]),
        },
        {},
        'origin_not_allowed',
      ],
      [{ origins: [] }, {}, 'address_not_allowed'],
      [{}, { addressPin: null }, 'yes'],
    ];
    let held = wrong;
    let row: Partial<Route> = strict;
    for (const [tokenCure, rowCure, expected] of cured) {
      held = { ...held, ...tokenCure };
      row = { ...row, ...rowCure };
      const steps: [string, boolean][] = [];
      const csrf = { header: 'x-csrf-token', attribute: 'csrf' };
      const policy = policyOf([typeOf({ scopes: { grantable: ['a'] }, csrf })]);
      const [match, facts] = [matchOf(row, { p: 'p1' }), factsOf({ method: 'POST' })];
      const trace = (step: string, ok: boolean) => void steps.push([step, ok]);
      const presented = { source: byCookie, csrf: ['right'] };
      const outcome = decide(policy, match, facts, held, noon, trace, presented);
      expect(outcome.ok ? 'yes' : outcome.denial.code).toBe(expected);
      expect(steps.slice(0, -1).every(([, ok]) => ok)).toBe(true);
      expect(steps.at(-1)?.[1]).toBe(outcome.ok);
    }
  });

  test('a record of a type that the config no longer has stands for nothing', () => {
    const gone = tokenOf({ type: 'gone' });
    expect(
      answer({ type: typeOf(), token: gone, route: { access: accessOf({ gone: 'any_scope' }) }, now: noon }),
    ).toBe('token_unknown');
  });

  test('a public row asks for no token, and tells the upstream of none', () => {
    const outcome = judged({ type: typeOf(), token: tokenOf(), route: { access: 'public' }, now: noon });
    expect(outcome).toMatchObject({ ok: true, value: { token: null, scopes: [] } });
  });
});

describe('a permit', () => {
  test('says what the claim established and where the limits stand', () => {
    const row = { access: accessOf({ user: 'a' }), limits: [limitOf()] };
    const outcome = judged({
      type: typeOf({ scopes: { grantable: ['a'] } }),
      token: tokenOf({ scopes: ['a', 'b'] }),
      route: row,
      now: noon,
    });
    if (!outcome.ok) throw new Error(outcome.denial.reason);
    const states = [stateOf()];
    expect(admit(outcome.value, states)).toEqual({
      route: routeOf(row),
      facts: factsOf(),
      token: tokenOf({ scopes: ['a', 'b'] }),
      scopes: ['a'],
      states,
      observing: null,
    });
  });

  test('is not made where a limit was not asked, or said no', () => {
    const charges = [{ limit: limitOf(), key: 'k', cost: 1 }];
    const claim: Claim = {
      match: matchOf(),
      facts: factsOf(),
      token: null,
      scopes: [],
      charges,
      ...owesNothing,
    };
    expect(() => admit(claim, [])).toThrow('a limit was not asked');
    expect(() => admit(claim, [stateOf({ allowed: false })])).toThrow('a limit said no');
  });

  test('cannot be written by hand: that does not compile', () => {
    const fields = { route: routeOf(), facts: factsOf(), token: null, scopes: [], states: [] };
    // @ts-expect-error: only admit has the mark
    const forged: Permit = fields;
    const claim: Claim = {
      match: matchOf(),
      facts: factsOf(),
      token: null,
      scopes: [],
      charges: [],
      ...owesNothing,
    };
    // @ts-expect-error: a claim is not yet a yes
    const early: Permit = claim;
    expect([forged, early]).toHaveLength(2);
  });

  test.each([
    ['Reading', 'policy/body.ts'],
    ['PinEvidence', 'policy/bundle-pin.ts'],
  ])('owes what is made in one place as well: %s in %s', (name, path) => {
    const root = resolve(import.meta.dirname, '../..');
    const makers = ['policy', 'store', 'gateway'].flatMap((room) =>
      readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .filter((file) => readFileSync(join(root, room, file), 'utf8').includes(`as unknown as ${name}`))
        .map((file) => `${room}/${file}`),
    );
    expect(makers).toEqual([path]);
  });

  test('is made by a cast nowhere but in admit', () => {
    const root = resolve(import.meta.dirname, '../..');
    const makers = ['policy', 'store', 'gateway']
      .flatMap((room) =>
        readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) => `${room}/${name}`),
      )
      .filter((path) => path.endsWith('.ts'))
      .filter((path) =>
        /\bas\s+(?:unknown\s+as\s+)?Permit\b|<Permit>\s*[({]/.test(readFileSync(join(root, path), 'utf8')),
      );
    expect(makers).toEqual(['policy/decide.ts']);
  });
});
