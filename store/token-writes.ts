/** The changes made to the tokens table, as query trees that every database compiles for itself; it never runs one. */

import type { TokensTable } from './schema.ts';
import { builder, type Change } from './schema.ts';
import { RECORD_COLUMNS } from './token-rows.ts';

export function insertToken(row: TokensTable): Change {
  return builder.insertInto('tokens').values(row);
}

/** Rows a statement, each a power of two: fewer ways there and back, and few statements to keep prepared. */
const ROWS_MAX = 128;

/** Adds none of those whose digest, bcrypt hash or external id is there already, be it from a row before in `rows`. */
export function insertTokensIfNew(rows: readonly TokensTable[]): readonly Change[] {
  const changes: Change[] = [];
  for (let start = 0, size = ROWS_MAX; start < rows.length; start += size) {
    while (size > rows.length - start) size /= 2;
    changes.push(
      builder
        .insertInto('tokens')
        .values(rows.slice(start, start + size))
        .onConflict((conflict) => conflict.doNothing()),
    );
  }
  return changes;
}

/** Changes only a row that is not revoked: the first revoke's time, author and reason stay. */
export function markRevoked(id: string, atMs: number, by: string, reason: string | null): Change {
  return builder
    .updateTable('tokens')
    .set((row) => ({
      revoked_at: atMs,
      revoked_by: by,
      revoked_reason: reason,
      version: row('version', '+', 1),
    }))
    .where('id', '=', id)
    .where('revoked_at', 'is', null);
}

export function selectRecord(id: string): Change {
  return builder.selectFrom('tokens').select(RECORD_COLUMNS).where('id', '=', id);
}

/** `then: sha256`: from now on the row is found by digest. Not a change of the record: its version stays. */
export function writeDigest(id: string, digest: string): Change {
  return builder.updateTable('tokens').set({ digest }).where('id', '=', id).where('digest', 'is', null);
}

/** The row is found by another digest of the same token from now on. Changes only what was read: a race changes it once. */
export function replaceDigest(id: string, before: string, after: string): Change {
  return builder
    .updateTable('tokens')
    .set({ digest: after })
    .where('id', '=', id)
    .where('digest', '=', before);
}

/** Forward only: a late flush of one process never undoes a newer one of another. */
export function markUsed(id: string, atMs: number): Change {
  return builder
    .updateTable('tokens')
    .set({ last_used_at: atMs })
    .where('id', '=', id)
    .where((row) => row.or([row('last_used_at', 'is', null), row('last_used_at', '<', atMs)]));
}
