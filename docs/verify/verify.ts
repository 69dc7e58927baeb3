/** Checks the assertion Postern sends with each request: who calls, and with which scopes. Needs jose 6. */
import { createRemoteJWKSet, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';

/** Fetched when first needed, kept, and fetched again for a key that is not in it. Make it once. */
export const postern = (gateway: string) => createRemoteJWKSet(new URL('/_postern/jwks.json', gateway));

/** @throws where the assertion is absent, forged, old, or meant for another service. Then answer 401. */
export async function verify(
  assertion: string | undefined,
  keys: JWTVerifyGetKey,
  expected: { issuer: string; audience: string },
): Promise<{ tokenId: string; scopes: string[]; claims: JWTPayload }> {
  if (assertion === undefined) throw new Error('no assertion');
  const { payload } = await jwtVerify(assertion, keys, {
    ...expected,
    algorithms: ['EdDSA'],
    typ: 'JWT',
    clockTolerance: 5,
    requiredClaims: ['sub', 'iat', 'exp', 'scope'],
  });
  const scopes = String(payload.scope).split(' ').filter(Boolean);
  return { tokenId: String(payload.sub), scopes, claims: payload };
}
