/**
 * Signs who calls, so that an upstream need not trust the network in between (RFC 7519, EdDSA by RFC 8037),
 * and publishes the keys to check it with (RFC 7517).
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';
import { assertionClaims, assertionEndS } from '../policy/assertion.ts';
import type { TokenRecord } from '../policy/token-types.ts';
import type { AssertionRule, Permit } from '../policy/types.ts';
import type { AssertionCache } from '../store/assertion-cache.ts';
import type { Answer, Field } from './answer.ts';

/** How long a key set may be kept by those who fetch it, and so how long a new key must be published first. */
const jwksMaxAgeS = 300;

export type SignerParts = {
  readonly rule: AssertionRule;
  /** Ed25519, private; the first signs, all are published. */
  readonly keys: readonly KeyObject[];
  /** This signer's own: what another policy or key signed must not be in it. */
  readonly cache: AssertionCache;
  /** Unix ms. */
  readonly now: () => number;
};

export type Signer = {
  /** The field that tells the upstream who calls; null: nobody is known. */
  readonly fieldFor: (permit: Permit) => Field | null;
  /** Statements that were signed, and those that were handed out again. */
  readonly counts: () => { readonly signed: number; readonly kept: number };
  /** The answer to whoever asks for the public keys. */
  readonly jwks: (requestId: string) => Answer;
};

/** @throws Error where there is no key. */
export async function createSigner({ rule, keys, cache, now }: SignerParts): Promise<Signer> {
  const published = await Promise.all(keys.map(publicJwk));
  const [key] = keys;
  const [jwk] = published;
  if (key === undefined || jwk === undefined) throw new Error('no key to sign with');
  const head = encode({ alg: 'EdDSA', typ: 'JWT', kid: jwk.kid });
  const isKept = !rule.bindMethod && !rule.bindPath;

  const counts = { signed: 0, kept: 0 };

  const mint = (claims: object, token: TokenRecord, nowMs: number) => {
    counts.signed++;
    const iat = Math.floor(nowMs / 1000);
    const exp = assertionEndS(rule, token, iat);
    const input = `${head}.${encode({ ...claims, iat, exp })}`;
    const text = `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
    return { text, fromMs: nowMs, untilMs: nowMs + (exp * 1000 - nowMs) / 2 };
  };

  const assert = (permit: Permit): string | null => {
    const { token } = permit;
    const claims = assertionClaims(rule, permit);
    if (token === null || claims === null) return null;
    const nowMs = now();
    if (!isKept) return mint(claims, token, nowMs).text;
    // All that will be signed is in the key, so that nothing can be handed out that says anything else.
    const kept = `${token.version} ${JSON.stringify(claims)}`;
    const signed = cache.get(kept);
    if (signed !== undefined && nowMs >= signed.fromMs && nowMs < signed.untilMs) {
      counts.kept++;
      return signed.text;
    }
    const fresh = mint(claims, token, nowMs);
    cache.set(kept, fresh);
    return fresh.text;
  };

  const body = `${JSON.stringify({ keys: published })}\n`;
  return {
    fieldFor: (permit) => {
      const text = assert(permit);
      return text === null ? null : [rule.header, text];
    },
    counts: () => counts,
    jwks: (requestId) => ({
      status: 200,
      fields: [
        ['Content-Type', 'application/jwk-set+json'],
        ['Cache-Control', `public, max-age=${jwksMaxAgeS}`],
        ['X-Content-Type-Options', 'nosniff'],
        ['X-Request-Id', requestId],
      ],
      body,
    }),
  };
}

/** The public half alone, named by its thumbprint (RFC 7638). */
async function publicJwk(key: KeyObject): Promise<JWK & { kid: string }> {
  const { kty = '', crv = '', x = '' } = await exportJWK(createPublicKey(key));
  const kid = await calculateJwkThumbprint({ kty, crv, x });
  return { kty, crv, x, kid, use: 'sig', alg: 'EdDSA' };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
