import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertionClaims, assertionEndS } from '../../policy/assertion.ts';
import { admit } from '../../policy/decide.ts';
import { jwksPath, ownEndpoint } from '../../policy/own-paths.ts';
import { rowSet } from '../../policy/rows.ts';
import { loaded } from '../fixtures/config.ts';
import { fuzz } from '../support/fuzz.ts';
import {
  assertionOf,
  factsOf,
  identityOf,
  matchOf,
  noon,
  owesNothing,
  policyOf,
  tokenOf,
} from '../support/policy.ts';

const facts = factsOf({ method: 'POST', path: '/a/b', query: 'c=d' });
const match = matchOf({ upstream: 'app' });

describe('what is asserted', () => {
  const attributes = new Map<string, string | readonly string[]>([
    ['project', 'p1'],
    ['teams', ['a', 'b']],
    ['__proto__', 'x'],
  ]);
  const token = tokenOf({ id: 'tok_9', type: 'user', label: 'CI', scopes: ['admin'], attributes });
  const permit = admit({ match, facts, token, scopes: ['read', 'write'], charges: [], ...owesNothing }, []);

  test('is who calls, with the scopes of the permit, for the upstream that is asked', () => {
    expect(JSON.stringify(assertionClaims(assertionOf(), permit))).toBe(
      '{"iss":"postern","aud":"app","sub":"tok_9","type":"user","scope":"read write",' +
        '"attributes":{"project":"p1","teams":["a","b"],"__proto__":"x"}}',
    );
  });

  test('names a fixed audience and issuer where the config does', () => {
    const rule = assertionOf({ audience: 'shop', issuer: 'gate-1' });
    expect(assertionClaims(rule, permit)).toMatchObject({ aud: 'shop', iss: 'gate-1' });
  });

  test('says what is asked where it is bound to that, without the query', () => {
    const rule = assertionOf({ bindMethod: true, bindPath: true });
    expect(assertionClaims(rule, permit)).toMatchObject({ method: 'POST', path: '/a/b' });
  });

  test('is nothing where nobody is known', () => {
    const nobody = admit({ match, facts, token: null, scopes: [], charges: [], ...owesNothing }, []);
    expect(assertionClaims(assertionOf(), nobody)).toBeNull();
  });
});

test('an assertion ends after its ttl, or with the token where that ends before, and always after it began', () => {
  const end = fc.option(fc.integer({ min: 1, max: 120_000 }), { nil: null });
  fc.assert(
    fc.property(end, end, fc.integer({ min: 5, max: 60 }), (expires, retires, ttlS) => {
      const at = (ms: number | null) => (ms === null ? null : noon + ms);
      const token = tokenOf({ expiresAt: at(expires), retireAt: at(retires) });
      const endS = assertionEndS(assertionOf({ ttlS }), token, noon / 1000) - noon / 1000;
      expect(endS).toBeGreaterThan(0);
      expect(endS).toBeLessThanOrEqual(ttlS);
      for (const ms of [expires, retires]) if (ms !== null) expect(endS * 1000 - ms).toBeLessThan(1000);
    }),
    fuzz(500),
  );
});

describe('a path of Postern itself', () => {
  const policy = policyOf([], { identity: identityOf({ assertion: assertionOf() }) });
  const asked = (path: string, method = 'GET') => {
    const own = ownEndpoint(policy, factsOf({ path, method }));
    return own === null ? null : own.ok ? own.value : own.denial.code;
  };

  test('is everything under /_postern, and nothing that only resembles it', () => {
    expect(asked(jwksPath)).toBe('jwks');
    expect(asked(jwksPath, 'HEAD')).toBe('jwks');
    for (const path of [
      '/_postern',
      '/_postern/',
      '/_postern/jwks',
      '/_postern/jwks.json/',
      '/_postern/a;b',
    ]) {
      expect([path, asked(path)]).toEqual([path, 'route_not_found']);
    }
    for (const path of [
      '/',
      '/_posterns',
      '/_postern.json',
      '/a/_postern/jwks.json',
      '/_Postern/jwks.json',
    ]) {
      expect([path, asked(path)]).toEqual([path, null]);
    }
  });

  test('can only be read', () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'QUERY']) {
      expect(asked(jwksPath, method)).toBe('method_not_allowed');
    }
  });

  test('is not there where nothing is asserted', () => {
    expect(ownEndpoint(policyOf([]), factsOf({ path: jwksPath }))).toMatchObject({
      ok: false,
      denial: { code: 'route_not_found' },
    });
  });

  test('is matched by patterns that take any path, which is why it is asked about before them', () => {
    const { policy } = loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
apis: { main: { to: app, routes: { "GET /{all...}": { allow: public } } } }`);
    expect(rowSet(policy, factsOf({ path: jwksPath })).ok).toBe(true);
  });
});
