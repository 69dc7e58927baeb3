/** A token as one line of an export: what `token import` reads. Never the token; what is kept of it, and only for a store. */
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import type { KeptToken } from '../../store/token-store.ts';

/** Before the digest of what follows the `|`, which is what an import takes. */
const randomPart = /^r:/;

export function exportRow(
  type: TokenType,
  { record, ...kept }: KeptToken,
): Readonly<Record<string, unknown>> {
  const { externalId, label, scopes, attributes, origins } = record;
  return {
    type: record.type,
    ...secretOf(type, kept),
    ...(externalId === null ? {} : { external_id: externalId }),
    ...(type.format === 'id_pipe_random' ? {} : { preview: record.preview }),
    label,
    scopes,
    attributes: Object.fromEntries(attributes),
    origins,
    created_at: new Date(record.createdAt).toISOString(),
    ...(record.canary === true ? { canary: true } : {}),
    ...lifeOf(record),
  };
}

function secretOf({ hash }: TokenType, { digest, bcrypt, lookup }: Omit<KeptToken, 'record'>) {
  const sha256 = digest?.replace(randomPart, '');
  if (bcrypt !== null) return { bcrypt, lookup, ...(sha256 === undefined ? {} : { sha256 }) };
  return hash.use === 'sha256' && hash.pepper !== undefined ? { digest: sha256 } : { sha256 };
}

function lifeOf(record: TokenRecord): Readonly<Record<string, string>> {
  const times = {
    expires_at: record.expiresAt,
    last_used_at: record.lastUsedAt,
    retire_at: record.retireAt,
    disabled_at: record.disabledAt,
    revoked_at: record.revokedAt,
  };
  const known = Object.entries(times).flatMap(([name, ms]) =>
    ms === null ? [] : [[name, new Date(ms).toISOString()] as const],
  );
  const reason = record.revokedReason === null ? {} : { revoked_reason: record.revokedReason };
  return { ...Object.fromEntries(known), ...reason };
}
