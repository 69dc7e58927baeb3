/** Makes a row of a token brought from elsewhere; refuses a secret that no one could ever present. */
import type { TokenType } from '../policy/token-types.ts';
import type { TokensTable } from './schema.ts';
import { previewOf } from './secret.ts';
import type { TokenDigests } from './token-digests.ts';
import { isPipeId } from './token-format.ts';
import { rowOf } from './token-rows.ts';
import type { ImportedToken } from './token-store.ts';

export type SecretColumns = Pick<TokensTable, 'digest' | 'bcrypt' | 'lookup'>;

const SHA256_HEX = /^[0-9a-f]{64}$/;
const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;

/**
 * @param now Unix ms; when the token was made, if the import does not say. What it says of the past is no later: a use that is
 * to come would keep the token for ever.
 * @throws TypeError for a hash or id of the wrong shape: the caller checks its input and words the problem.
 */
export function importRow(token: ImportedToken, id: string, now: number, digests: TokenDigests): TokensTable {
  const isPiped = token.type.format === 'id_pipe_random';
  if (isPiped && !isPipeId(token.externalId ?? ''))
    throw new TypeError('not an id that a token can begin with');
  const secret = secretOf(token.type, token.hash, digests);
  const { life } = token;
  const row = rowOf({
    ...token,
    id,
    type: token.type.name,
    preview: token.preview ?? previewOf(token.type, isPiped ? `${token.externalId}|` : (secret.lookup ?? '')),
    secret,
    createdAt: Math.min(token.createdAt ?? now, now),
  });
  if (life === undefined) return row;
  return {
    ...row,
    last_used_at: life.lastUsedAt === null ? null : Math.min(life.lastUsedAt, now),
    retire_at: life.retireAt,
    disabled_at: life.disabledAt,
    revoked_at: life.revokedAt,
    revoked_by: life.revokedAt === null ? null : token.createdBy,
    revoked_reason: life.revokedAt === null ? null : life.revokedReason,
  };
}

function secretOf(type: TokenType, hash: ImportedToken['hash'], digests: TokenDigests): SecretColumns {
  if ('digest' in hash) return { digest: digests.ofKept(type, hash.digest), bcrypt: null, lookup: null };
  if (!('bcrypt' in hash)) {
    return { digest: digests.ofImported(type, hexOf(hash.sha256)), bcrypt: null, lookup: null };
  }
  if (!BCRYPT.test(hash.bcrypt)) throw new TypeError('not a bcrypt hash of the kinds $2a$, $2b$ or $2y$');
  if (type.hash.use !== 'bcrypt') throw new TypeError(`tokens of type ${type.name} are not kept as bcrypt`);
  if (hash.lookup.length !== type.hash.lookupChars) {
    throw new TypeError(`lookup must be the token's first ${type.hash.lookupChars} characters`);
  }
  if (hash.sha256 !== undefined && !type.hash.thenSha256) {
    throw new TypeError(`tokens of type ${type.name} are kept as bcrypt alone`);
  }
  const digest = hash.sha256 === undefined ? null : digests.ofImported(type, hexOf(hash.sha256));
  return { digest, bcrypt: hash.bcrypt, lookup: hash.lookup };
}

function hexOf(sha256: string): string {
  const digest = sha256.toLowerCase();
  if (!SHA256_HEX.test(digest)) throw new TypeError('not a SHA-256 in hex');
  return digest;
}
