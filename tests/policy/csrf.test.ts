import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkCsrf } from '../../policy/checks/csrf.ts';
import { decide } from '../../policy/decide.ts';
import type { AttributeValue, Presentation } from '../../policy/token-types.ts';
import { fuzz } from '../support/fuzz.ts';
import { accessOf, factsOf, matchOf, noon, policyOf, tokenOf, typeOf } from '../support/policy.ts';

const csrf = { header: 'x-csrf-token', attribute: 'csrf' };
const type = typeOf({ csrf, sources: [{ kind: 'cookie', name: 'session' }, { kind: 'bearer' }] });
const cookie = { kind: 'cookie', name: 'session' } as const;

function refusal(
  method: string,
  presented: Presentation,
  own: AttributeValue | null = 'right',
): string | null {
  const token = tokenOf({ attributes: new Map(own === null ? [] : [['csrf', own]]) });
  const facts = factsOf({ method });
  return checkCsrf({ match: matchOf(), facts, token, type, presented, scopes: [], now: noon })?.code ?? null;
}

const byCookie = (...values: string[]): Presentation => ({ source: cookie, csrf: values });

describe('a request with a cookie', () => {
  test.each(['GET', 'HEAD', 'OPTIONS'])('%s changes nothing, and passes', (method) => {
    expect(refusal(method, byCookie())).toBeNull();
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'PURGE', 'post', 'Get', ''])(
    '%s needs the header, once, and equal',
    (method) => {
      expect(refusal(method, byCookie('right'))).toBeNull();
      for (const values of [[], ['wrong'], [''], ['right', 'right'], ['righ'], ['rightr'], ['rightright']])
        expect(refusal(method, byCookie(...values))).toBe('csrf_invalid');
    },
  );

  test('passes with the very attribute, and with nothing else', () => {
    const value = fc.oneof(fc.string(), fc.constantFrom('a', 'aa', 'ab', 'abab', ''));
    fc.assert(
      fc.property(value, value, (sent, own) => {
        const expected = sent === own && own !== '' ? null : 'csrf_invalid';
        expect(refusal('POST', byCookie(sent), own)).toBe(expected);
        if (own !== '') expect(refusal('POST', byCookie(own), own)).toBeNull();
      }),
      fuzz(2000),
    );
  });

  test('is refused where the token has no such attribute, an empty one or a list', () => {
    for (const own of [null, '', [], ['right']])
      for (const sent of ['right', '', 'undefined', 'null'])
        expect(refusal('POST', byCookie(sent), own)).toBe('csrf_invalid');
  });
});

describe('a request that was authorised on purpose', () => {
  test.each<Presentation['source']>([
    { kind: 'bearer' },
    { kind: 'header', name: 'x-token' },
    { kind: 'query', name: 'token' },
  ])('by $kind needs no header', (source) => {
    expect(refusal('POST', { source, csrf: [] })).toBeNull();
  });

  test('is not what decide assumes where nobody says how it was presented', () => {
    const match = matchOf({ access: accessOf({ user: 'any_scope' }) });
    const token = tokenOf({ attributes: new Map([['csrf', 'right']]) });
    const outcome = decide(policyOf([type]), match, factsOf({ method: 'POST' }), token, noon);
    expect(outcome.ok ? 'yes' : outcome.denial.code).toBe('csrf_invalid');
  });
});
