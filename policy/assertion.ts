/** What a signed assertion says about the caller: exactly what the permit says, and nothing of the credential. */
import type { AttributeValue, TokenRecord } from './token-types.ts';
import type { AssertionRule, Permit } from './types.ts';

/** RFC 7519 §4.1, without `iat` and `exp`; `scope` as RFC 8693 §4.2. */
export type AssertionClaims = {
  readonly iss: string;
  readonly aud: string;
  /** The token's id. */
  readonly sub: string;
  /** The token's type. */
  readonly type: string;
  /** Effective scopes, separated by spaces; '' where there are none. */
  readonly scope: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly method?: string;
  /** Raw, without the query; without the base path of the upstream. */
  readonly path?: string;
};

/** null: nobody is known, so nothing can be asserted. */
export function assertionClaims(rule: AssertionRule, permit: Permit): AssertionClaims | null {
  const { route, facts, token, scopes } = permit;
  if (token === null) return null;
  return {
    iss: rule.issuer,
    aud: rule.audience ?? route.upstream,
    sub: token.id,
    type: token.type,
    scope: scopes.join(' '),
    attributes: Object.fromEntries(token.attributes),
    ...(rule.bindMethod ? { method: facts.method } : {}),
    ...(rule.bindPath ? { path: facts.path } : {}),
  };
}

/**
 * When an assertion minted now must end, in Unix seconds: after the ttl, or with the token where that is known
 * to end before.
 */
export function assertionEndS(rule: AssertionRule, token: TokenRecord, nowS: number): number {
  const ends = [token.expiresAt, token.retireAt]
    .filter((at) => at !== null)
    .map((at) => Math.ceil(at / 1000));
  return Math.min(nowS + rule.ttlS, ...ends);
}
