import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkSocketOrigin } from '../../policy/checks/socket-origin.ts';
import { decide } from '../../policy/decide.ts';
import { lostStanding } from '../../policy/standing.ts';
import type { Cors } from '../../policy/types.ts';
import { fuzz } from '../support/fuzz.ts';
import { accessOf, factsOf, matchOf, noon, policyOf, tokenOf, typeOf } from '../support/policy.ts';

const listed = ['https://app.test', 'http://localhost:3000'];

const site = (origins: Cors['origins'] = listed): Cors => ({
  name: 'site',
  origins,
  methods: ['GET'],
  headers: [],
  expose: [],
  credentials: false,
  maxAgeS: 1,
});

function refusal(origin: string | null, cors: Cors | null = site(), websocket = true): string | null {
  return checkSocketOrigin({ match: matchOf({ websocket, cors }), facts: factsOf({ origin }) })?.code ?? null;
}

describe('checkSocketOrigin', () => {
  test.each([...listed, null])('lets %s through', (origin) => {
    expect(refusal(origin)).toBeNull();
  });

  test.each([
    ...['null', '', 'https://app.test/', 'https://app.test:443', 'HTTPS://APP.TEST', 'http://app.test'],
    ...['https://app.test.evil.test', 'https://evil.test', 'https://app.test, https://evil.test', '*'],
  ])('refuses %j', (origin) => {
    expect(refusal(origin)).toBe('origin_not_allowed');
  });

  test('no text passes that is not on the list, character for character', () => {
    const near = fc.oneof(
      fc.constantFrom(...listed),
      fc.string(),
      fc
        .tuple(fc.constantFrom(...listed), fc.nat(30), fc.string({ maxLength: 3 }))
        .map(([text, at, added]) => text.slice(0, at) + added + text.slice(at)),
    );
    fc.assert(
      fc.property(near, (origin) => (refusal(origin) === null) === listed.includes(origin)),
      fuzz(2000),
    );
  });

  test('says nothing where there is no list, and nothing on other rows', () => {
    expect([
      refusal('https://evil.test', null),
      refusal('https://evil.test', site('any')),
      refusal('https://evil.test', site(), false),
    ]).toEqual([null, null, null]);
  });

  test.each(['public', 'user'])('is asked on a %s row', (who) => {
    const access = who === 'public' ? 'public' : accessOf({ user: 'any_scope' });
    const match = matchOf({ websocket: true, cors: site(), access });
    const ask = (origin: string) => decide(policyOf([typeOf()]), match, factsOf({ origin }), tokenOf(), noon);
    expect(ask('https://app.test').ok).toBe(true);
    expect(ask('https://evil.test')).toMatchObject({ ok: false, denial: { code: 'origin_not_allowed' } });
  });
});

describe('lostStanding', () => {
  const policy = policyOf([typeOf()]);

  test('is lost with the record, and with the type', () => {
    expect(lostStanding(policy, undefined, noon)?.code).toBe('token_unknown');
    expect(lostStanding(policy, tokenOf({ type: 'other' }), noon)?.code).toBe('token_unknown');
  });

  test('is judged of any state exactly as the walk judges it', () => {
    const time = fc.option(fc.integer({ min: noon - 2, max: noon + 2 }));
    const record = fc.record({
      revokedAt: time,
      expiresAt: time,
      retireAt: time,
      disabledAt: time,
      notBefore: time,
    });
    const match = matchOf({ access: accessOf({ user: 'any_scope' }) });
    fc.assert(
      fc.property(record, (fields) => {
        const token = tokenOf(fields);
        const claim = decide(policy, match, factsOf(), token, noon);
        expect(lostStanding(policy, token, noon)).toEqual(claim.ok ? null : claim.denial);
      }),
      fuzz(500),
    );
  });
});
