/** What the audit says of changes to tokens: changes of their own, to stand beside those. Never a secret. */
import type { AuditRows } from './audit-rows.ts';
import { insertAudit, insertImportAudit } from './audit-writes.ts';
import { type Change, ifChanged, type TokensTable } from './schema.ts';

export function auditCreated(rowOf: AuditRows, row: TokensTable): Change {
  const { id, type, label, created_by: actor, canary } = row;
  const detail = canary === 0 ? { type, label } : { type, label, canary: true };
  return insertAudit(rowOf({ actor, action: 'token.create', subject: id, detail }));
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
