/** No request with a canary is ever let in, whatever else its record says and whatever the row lets in. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isOnGuard } from '../../policy/canary.ts';
import { decide } from '../../policy/decide.ts';
import { lostStanding } from '../../policy/standing.ts';
import { fuzz } from '../support/fuzz.ts';
import { accessOf, factsOf, matchOf, noon, policyOf, tokenOf, typeOf } from '../support/policy.ts';

const time = fc.option(fc.integer({ min: noon - 1000, max: noon + 1000 }), { nil: null });
const fields = fc.record({
  scopes: fc.subarray(['a', 'b']),
  origins: fc.subarray(['https://app.test']),
  notBefore: time,
  expiresAt: time,
  retireAt: time,
  disabledAt: time,
  revokedAt: time,
});
const types = [
  typeOf({ scopes: { grantable: ['a', 'b'] } }),
  typeOf({ scopes: { fixed: ['a', 'b'] } }),
  typeOf({ scopes: { grantable: ['a'] }, sources: [{ kind: 'cookie', name: 's' }] }),
];

test('a canary is let in by no row, and stands for nothing under way', () => {
  const property = fc.property(
    fields,
    fc.constantFrom(...types),
    fc.constantFrom('a', 'b', 'any_scope', 'a + b'),
    fc.option(fc.constant('https://app.test'), { nil: null }),
    (some, type, cell, origin) => {
      const policy = policyOf([type]);
      const match = matchOf({ access: accessOf({ user: cell }) });
      const token = tokenOf({ ...some, canary: true });
      const decided = decide(policy, match, factsOf({ origin }), token, noon);
      expect(decided.ok ? 'let in' : decided.denial.code).toBe('token_unknown');
      expect(lostStanding(policy, token, noon)?.code).toBe('token_unknown');
    },
  );
  fc.assert(property, fuzz(500));
});

test('its use is told until it is revoked or expires, disabled or not', () => {
  expect(isOnGuard(tokenOf({ canary: true }), noon)).toBe(true);
  expect(isOnGuard(tokenOf({ canary: true, disabledAt: 1, expiresAt: noon + 1 }), noon)).toBe(true);
  expect(isOnGuard(tokenOf({ canary: true, revokedAt: 1 }), noon)).toBe(false);
  expect(isOnGuard(tokenOf({ canary: true, expiresAt: noon }), noon)).toBe(false);
  expect(isOnGuard(tokenOf(), noon)).toBe(false);
});
