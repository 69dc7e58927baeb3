/**
 * The one token type that no config defines: operators' own tokens, for the admin listener. On the data listener none is
 * a credential. Whatever faces people use sees it beside the config's types; what decides about requests never does.
 */
import type { TokenRecord, TokenType } from './token-types.ts';
import type { Policy } from './types.ts';

export const adminTypeName = 'postern_admin';
export const adminPrefix = 'postern_admin_';

export const adminScopes = [
  'tokens:read',
  'tokens:write',
  'pins:read',
  'pins:write',
  'probes:read',
  'probes:write',
  'audit:read',
  'audit:write',
  'alerts:read',
  'alerts:write',
  'config:read',
  'config:write',
  'usage:read',
  'tail:read',
  'sessions:write',
] as const;

export type AdminScope = (typeof adminScopes)[number];

export const adminType: TokenType = {
  name: adminTypeName,
  prefix: adminPrefix,
  prefixes: [adminPrefix],
  issue: { length: 48, alphabet: 'base62' },
  hash: { use: 'sha256' },
  sources: [{ kind: 'bearer' }],
  scopes: { grantable: adminScopes },
  attributes: new Map(),
};

/** The policy as operators see it: with their own type beside those of the config. Never for judging requests. */
export function withAdminType(policy: Policy): Policy {
  return { ...policy, types: new Map([...policy.types, [adminTypeName, adminType]]) };
}

/** The config's own types again: for what is never done to admin tokens. */
export function withoutAdminType(policy: Policy): Policy {
  return { ...policy, types: new Map([...policy.types].filter(([name]) => name !== adminTypeName)) };
}

/** Whether a token could begin with both. */
export function overlapsAdminPrefix(prefix: string): boolean {
  return prefix.startsWith(adminPrefix) || adminPrefix.startsWith(prefix);
}

/**
 * Why whoever holds these scopes may not make, change or end an admin token with those: the first scope that is lacking.
 *
 * @param held null: whoever is at the machine itself, and may do anything.
 * @returns null: nothing is against it, or it is no admin token.
 */
export function lackingScope(
  { type, scopes }: Pick<TokenRecord, 'type' | 'scopes'>,
  held: readonly string[] | null,
): string | null {
  if (type !== adminTypeName || held === null) return null;
  return scopes.find((scope) => !held.includes(scope)) ?? null;
}
