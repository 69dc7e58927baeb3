/** When a token ends that nobody uses: to the millisecond, and never one that is in use. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkState } from '../../policy/checks/state.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import { isUnused, unusedEndOf, unusedLeewayMs } from '../../policy/unused.ts';
import { createTokenIds } from '../../store/id.ts';
import { noon, tokenOf, typeOf } from '../support/policy.ts';

const day = 86_400_000;
const forMs = 90 * day;
const lastMs = forMs + unusedLeewayMs;
const type = typeOf({ unused: { forMs, leewayMs: unusedLeewayMs } });
const idAt = (ms: number) => createTokenIds(() => ms)();

const made = (fields: Partial<TokenRecord>) => tokenOf({ createdAt: noon - 1000 * day, ...fields });

describe('a token whose type has unused_for', () => {
  test.each([
    [lastMs - 1, false],
    [lastMs, true],
    [lastMs + 1, true],
  ])('that was last used %i ms ago has expired: %s', (agoMs, is) => {
    const token = made({ lastUsedAt: noon - agoMs });
    expect(isUnused(token, type, noon)).toBe(is);
    expect(checkState({ token, type, now: noon })?.code ?? null).toBe(is ? 'token_expired' : null);
  });

  test.each([
    [lastMs - 1, false],
    [lastMs, true],
  ])('that was never used, and made %i ms ago, has expired: %s', (agoMs, is) => {
    const createdAt = noon - agoMs;
    expect(isUnused(made({ createdAt, id: idAt(createdAt) }), type, noon)).toBe(is);
  });

  test('ends at the very moment that is said beforehand', () => {
    const ms = fc.integer({ min: 0, max: 4 * lastMs });
    fc.assert(
      fc.property(ms, fc.option(ms), ms, fc.boolean(), (createdAt, lastUsedAt, arrived, isOdd) => {
        const token = made({ createdAt, lastUsedAt, id: isOdd ? 'tok_x' : idAt(arrived) });
        const end = unusedEndOf(token, type) ?? Number.NaN;
        expect([end - 1, end].map((now) => isUnused(token, type, now))).toEqual([false, true]);
      }),
    );
    expect(unusedEndOf(made({}), typeOf())).toBeNull();
  });

  test('that was imported has its time from then on, however old it is', () => {
    const arrived = noon - lastMs;
    const token = made({ createdAt: noon - 3000 * day, id: idAt(arrived) });
    expect([arrived + lastMs - 1, arrived + lastMs].map((now) => isUnused(token, type, now))).toEqual([
      false,
      true,
    ]);
  });

  test('has not expired by a clock that went back behind its last use', () => {
    expect(isUnused(made({ lastUsedAt: noon }), type, noon - 1000 * day)).toBe(false);
    expect(isUnused(made({ lastUsedAt: noon }), type, noon)).toBe(false);
  });

  test('looks as one that is expired, and never hides that one was revoked', () => {
    const token = made({ lastUsedAt: noon - lastMs });
    expect(checkState({ token, type, now: noon })).toMatchObject({ code: 'token_expired' });
    const revoked = { ...token, revokedAt: 1 };
    expect(checkState({ token: revoked, type, now: noon })).toMatchObject({ code: 'token_revoked' });
  });

  test('is none where the type says nothing: no age ends it', () => {
    expect(isUnused(made({ createdAt: 0 }), typeOf(), noon)).toBe(false);
  });
});

/** A use by one of several processes, so long after the use before. */
type Use = { readonly gapMs: number; readonly lagMs: number };

const gap = fc.oneof(fc.nat(forMs - 1), fc.constantFrom(0, 1, forMs - 2, forMs - 1));
const use: fc.Arbitrary<Use> = fc.record({ gapMs: gap, lagMs: fc.nat(unusedLeewayMs) });

/** What is written at a time: each use is, forward only, so long after it was. */
function knownAt(at: number, uses: readonly (Use & { readonly at: number })[]): number | null {
  const written = uses.filter((one) => one.at < at && one.at + one.lagMs <= at).map((one) => one.at);
  return written.length === 0 ? null : Math.max(...written);
}

test('one that is used again within its time is never refused, whoever writes how late', () => {
  fc.assert(
    fc.property(fc.array(use, { minLength: 1, maxLength: 30 }), (uses) => {
      const start = noon;
      let at = start;
      const timed = uses.map((one) => {
        at += one.gapMs;
        return { ...one, at };
      });
      for (const one of timed) {
        const lastUsedAt = knownAt(one.at, timed);
        const token = made({ id: idAt(start), createdAt: start, lastUsedAt });
        expect(checkState({ token, type, now: one.at })).toBeNull();
      }
    }),
    { numRuns: 500 },
  );
});

test('one that was not used for its time and the leeway is refused from then on, whatever came before', () => {
  fc.assert(
    fc.property(fc.array(use, { maxLength: 10 }), fc.nat(1000 * day), (uses, laterMs) => {
      const last = uses.reduce((at, { gapMs }) => at + gapMs, noon);
      const token = made({ id: idAt(noon), createdAt: noon, lastUsedAt: uses.length === 0 ? null : last });
      expect(checkState({ token, type, now: last + lastMs + laterMs })?.code).toBe('token_expired');
    }),
  );
});
