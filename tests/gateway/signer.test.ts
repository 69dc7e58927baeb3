/** The signer: whatever is asked in whatever order, what it hands out says what this permit says, and is fresh. */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import fc from 'fast-check';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { createSigner, type Signer } from '../../gateway/signer.ts';
import { admit } from '../../policy/decide.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { AssertionRule, Permit } from '../../policy/types.ts';
import { createAssertionCache } from '../../store/assertion-cache.ts';
import { fuzz } from '../support/fuzz.ts';
import { assertionOf, factsOf, matchOf, noon, owesNothing, tokenOf } from '../support/policy.ts';

const { privateKey: key } = generateKeyPairSync('ed25519');
const publicKey = createPublicKey(key);
const now = { ms: noon };

const open = (rule: Partial<AssertionRule> = {}, keys = [key]): Promise<Signer> =>
  createSigner({ rule: assertionOf(rule), keys, cache: createAssertionCache(), now: () => now.ms });

function permitOf(
  token: TokenRecord | null,
  scopes: readonly string[] = [],
  upstream = 'app',
  path = '/a',
): Permit {
  const match = matchOf({ upstream });
  return admit({ match, facts: factsOf({ path }), token, scopes, charges: [], ...owesNothing }, []);
}

function textOf(signer: Signer, permit: Permit): string {
  const field = signer.fieldFor(permit);
  if (field === null) throw new Error('no assertion');
  expect(field[0]).toBe('X-Postern-Assertion');
  return field[1];
}

type Claims = Record<string, unknown> & { iat: number; exp: number };

/** Signature first; then what it says. */
function claimsOf(text: string): Claims {
  const [head = '', payload = '', signature = ''] = text.split('.');
  const signed = verify(
    null,
    Buffer.from(`${head}.${payload}`),
    publicKey,
    Buffer.from(signature, 'base64url'),
  );
  expect(signed).toBe(true);
  return JSON.parse(Buffer.from(payload, 'base64url').toString());
}

const word = fc.constantFrom('read', 'write', 'a', 'b');
const words = fc.uniqueArray(word, { maxLength: 3 });
const asked = fc.record({
  id: fc.constantFrom('tok_1', 'tok_2'),
  type: fc.constantFrom('user', 'service'),
  version: fc.integer({ min: 1, max: 3 }),
  scopes: words,
  upstream: fc.constantFrom('app', 'api'),
  attributes: fc.dictionary(fc.constantFrom('org', 'teams', '__proto__'), fc.oneof(word, words)),
  expiresInS: fc.option(fc.integer({ min: 1, max: 90 }), { nil: null }),
  isPublic: fc.boolean(),
  afterMs: fc.integer({ min: -2000, max: 20_000 }),
});

test('in every order of requests, the claims equal the permit, and no assertion is old, early or of another version', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 30 }), async (requests) => {
      const signer = await open();
      now.ms = noon;
      const firstMs = new Map<string, number>();
      for (const {
        id,
        type,
        version,
        scopes,
        upstream,
        attributes,
        expiresInS,
        isPublic,
        afterMs,
      } of requests) {
        now.ms += afterMs;
        const expiresAt = expiresInS === null ? null : now.ms + expiresInS * 1000;
        const token = tokenOf({
          id,
          type,
          version,
          attributes: new Map(Object.entries(attributes)),
          expiresAt,
        });
        if (isPublic) {
          expect(signer.fieldFor(permitOf(null, [], upstream))).toBeNull();
          continue;
        }
        const text = textOf(signer, permitOf(token, scopes, upstream));
        const { iat, exp, ...said } = claimsOf(text);
        const scope = scopes.join(' ');
        expect(JSON.stringify(said)).toBe(
          JSON.stringify({ iss: 'postern', aud: upstream, sub: id, type, scope, attributes }),
        );
        expect(iat * 1000).toBeLessThanOrEqual(now.ms);
        expect(exp * 1000).toBeGreaterThan(now.ms);
        expect(exp - iat).toBeLessThanOrEqual(60);
        // What another version was told is no younger than the first request of this one.
        const asked = `${version} ${JSON.stringify(said)}`;
        firstMs.set(asked, Math.min(firstMs.get(asked) ?? now.ms, now.ms));
        expect(iat).toBeGreaterThanOrEqual(Math.floor((firstMs.get(asked) ?? 0) / 1000));
      }
    }),
    fuzz(150),
  );
});

describe('an assertion', () => {
  const token = tokenOf({ id: 'tok_1' });

  test('is what jose takes for a JWT signed with the first of the published keys', async () => {
    now.ms = Date.now();
    const other = generateKeyPairSync('ed25519').privateKey;
    const signer = await open({}, [key, other]);
    const text = textOf(signer, permitOf(token, ['read']));
    const { keys } = JSON.parse(signer.jwks('id').body);
    expect(decodeProtectedHeader(text)).toEqual({ alg: 'EdDSA', typ: 'JWT', kid: keys[0].kid });
    const { payload } = await jwtVerify(text, publicKey, { audience: 'app', issuer: 'postern', typ: 'JWT' });
    expect(payload).toMatchObject({ sub: 'tok_1', scope: 'read' });
  });

  test('is kept for half its life, and signed anew then', async () => {
    now.ms = noon;
    const signer = await open({ ttlS: 20 });
    const first = textOf(signer, permitOf(token));
    now.ms = noon + 9999;
    expect(textOf(signer, permitOf(token))).toBe(first);
    now.ms = noon + 10_000;
    const second = textOf(signer, permitOf(token));
    expect(claimsOf(second)).toMatchObject({ iat: noon / 1000 + 10, exp: noon / 1000 + 30 });
    now.ms = noon + 9000;
    expect(claimsOf(textOf(signer, permitOf(token))).iat).toBe(noon / 1000 + 9);
  });

  test('is signed anew for a change of the record that no claim shows', async () => {
    now.ms = noon;
    const signer = await open();
    const first = textOf(signer, permitOf(token));
    now.ms += 1000;
    expect(textOf(signer, permitOf(token))).toBe(first);
    expect(textOf(signer, permitOf({ ...token, version: 2 }))).not.toBe(first);
  });

  test('that is bound to what is asked is never kept', async () => {
    now.ms = noon;
    const signer = await open({ bindPath: true });
    const first = textOf(signer, permitOf(token, [], 'app', '/a'));
    now.ms += 1000;
    expect(claimsOf(first).path).toBe('/a');
    expect(claimsOf(textOf(signer, permitOf(token, [], 'app', '/b'))).path).toBe('/b');
    expect(textOf(signer, permitOf(token, [], 'app', '/a'))).not.toBe(first);
  });
});

test('the key set has public parts alone, and names no key twice', async () => {
  const other = generateKeyPairSync('ed25519').privateKey;
  const { body } = (await open({}, [key, other])).jwks('id');
  const { keys } = JSON.parse(body);
  for (const one of keys) expect(Object.keys(one)).toEqual(['kty', 'crv', 'x', 'kid', 'use', 'alg']);
  expect(new Set(keys.map(({ kid }: { kid: string }) => kid)).size).toBe(2);
  for (const secret of [key, other].map((one) => String(one.export({ format: 'jwk' }).d))) {
    expect(body).not.toContain(secret);
  }
});

test('a signer without a key is none', async () => {
  await expect(open({}, [])).rejects.toThrow('no key to sign with');
});

test('what is kept is bounded', () => {
  const cache = createAssertionCache(2);
  const signed = { text: 'x', fromMs: 0, untilMs: 1 };
  for (const one of ['a', 'b', 'c']) cache.set(one, signed);
  expect(['a', 'b', 'c'].map((one) => cache.get(one) !== undefined)).toEqual([false, true, true]);
});
