/** What the audit says of changes to tokens: changes of their own, to stand beside those. Never a secret. */
import type { AuditRows } from './audit-rows.ts';
import { insertAudit, insertImportAudit } from './audit-writes.ts';
import { type Change, ifChanged, type TokensTable } from './schema.ts';

/** What it could do when it was made: changes after it say only what became of that. No attributes: one may be a secret. */
export function auditCreated(rowOf: AuditRows, row: TokensTable): Change {
  const { id, type, label, created_by: actor, canary } = row;
  const [scopes, origins] = [listIn(row.scopes), listIn(row.origins)];
  const detail = {
    ...{ type, label },
    ...(scopes.length === 0 ? {} : { scopes }),
    ...(origins.length === 0 ? {} : { origins }),
    ...(row.expires_at === null ? {} : { expires_at: row.expires_at }),
    ...(canary === 0 ? {} : { canary: true }),
  };
  return insertAudit(rowOf({ actor, action: 'token.create', subject: id, detail }));
}

function listIn(json: string): readonly string[] {
  return JSON.parse(json);
}

/** Right after the revoke in the batch: a second revoke changes nothing and leaves no row. */
export function auditRevoked(rowOf: AuditRows, id: string, actor: string, reason: string | null): Change {
  return ifChanged(insertAudit(rowOf({ actor, action: 'token.revoke', subject: id, detail: { reason } })));
}

/** One row for all of a chunk, none where all of it was there already. */
export function auditImported(rowOf: AuditRows, chunk: readonly TokensTable[]): Change {
  const types = [...new Set(chunk.map(({ type }) => type))];
  const actor = chunk[0]?.created_by ?? '';
  const detail = { rows: chunk.length, imported: null };
  const row = rowOf({ actor, action: 'token.import', subject: `type=${types.join(',')}`, detail });
  return insertImportAudit(
    row,
    chunk.map(({ id }) => id),
  );
}
