/** A token record as the outside sees it: snake_case, times in RFC 3339 UTC. Never a secret: a record has none. */
import { effectiveScopes } from '../../policy/scopes.ts';
import { attributesShown } from '../../policy/secret-attributes.ts';
import type { AttributeValue, TokenRecord, TokenType } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { isUnused } from '../../policy/unused.ts';

export const tokenStates = ['active', 'revoked', 'expired', 'disabled', 'not_yet_valid', 'canary'] as const;

export type TokenState = (typeof tokenStates)[number];

export type TokenView = {
  readonly id: string;
  readonly type: string;
  readonly label: string;
  readonly preview: string;
  readonly state: TokenState;
  /** What the token may do under this config. */
  readonly scopes: readonly string[];
  /** Those that are secrets are hidden. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly origins: readonly string[];
  readonly external_id: string | null;
  readonly created_at: string;
  readonly created_by: string;
  readonly not_before: string | null;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
  readonly rotated_to: string | null;
  readonly retire_at: string | null;
  readonly disabled_at: string | null;
  readonly revoked_at: string | null;
  readonly revoked_by: string | null;
  readonly revoked_reason: string | null;
  readonly version: number;
};

/** @param now Unix ms. */
export function viewOf(record: TokenRecord, policy: Policy, now: number): TokenView {
  const type = policy.types.get(record.type);
  return {
    id: record.id,
    type: record.type,
    label: record.label,
    preview: record.preview,
    state: stateOf(record, type, now),
    scopes: type === undefined ? record.scopes : effectiveScopes(record, type),
    attributes: attributesShown(record.attributes, type),
    origins: record.origins,
    external_id: record.externalId,
    created_at: new Date(record.createdAt).toISOString(),
    created_by: record.createdBy,
    not_before: timeOf(record.notBefore),
    expires_at: timeOf(record.expiresAt),
    last_used_at: timeOf(record.lastUsedAt),
    rotated_to: record.rotatedTo,
    retire_at: timeOf(record.retireAt),
    disabled_at: timeOf(record.disabledAt),
    revoked_at: timeOf(record.revokedAt),
    revoked_by: record.revokedBy,
    revoked_reason: record.revokedReason,
    version: record.version,
  };
}

/** What whoever makes a token is told, this once. @param token null: it is not shown. */
export function secretView(
  { id, type, label, ...rest }: TokenView,
  token: string | null,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return { id, type, label, token, ...rest, ...more };
}

/** In the order in which a request is refused; a canary that sounds is one whatever else it is. */
export function stateOf(record: TokenRecord, type: TokenType | undefined, now: number): TokenState {
  const { expiresAt, retireAt, notBefore } = record;
  if (record.revokedAt !== null) return 'revoked';
  if (expiresAt !== null && expiresAt <= now) return 'expired';
  if (retireAt !== null && retireAt <= now) return 'expired';
  if (record.canary === true) return 'canary';
  if (type !== undefined && isUnused(record, type, now)) return 'expired';
  if (record.disabledAt !== null) return 'disabled';
  return notBefore !== null && notBefore > now ? 'not_yet_valid' : 'active';
}

/** RFC 3339. @param ms Unix ms. */
export function timeOf(ms: number): string;
export function timeOf(ms: number | null): string | null;
export function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
