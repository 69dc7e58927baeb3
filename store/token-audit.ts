/** What the audit says of changes to tokens: statements to stand beside the change. Never a secret. */
import { insertAudit, insertAuditIfChanged, insertImportAudit } from './audit-writes.ts';
import type { Statement, TokensTable } from './schema.ts';
import type { SqliteLink } from './sqlite-link.ts';

type RowOf = SqliteLink['rowOf'];

export function auditCreated(rowOf: RowOf, { id, type, label, created_by: actor }: TokensTable): Statement {
  return insertAudit(rowOf({ actor, action: 'token.create', subject: id, detail: { type, label } }));
}

/** Right after the revoke in the batch: a second revoke changes nothing and leaves no row. */
export function auditRevoked(rowOf: RowOf, id: string, actor: string, reason: string | null): Statement {
  return insertAuditIfChanged(rowOf({ actor, action: 'token.revoke', subject: id, detail: { reason } }));
}

/** One row for all of a chunk, none where all of it was there already. */
export function auditImported(rowOf: RowOf, chunk: readonly TokensTable[]): Statement {
  const types = [...new Set(chunk.map(({ type }) => type))];
  const actor = chunk[0]?.created_by ?? '';
  const detail = { rows: chunk.length };
  const row = rowOf({ actor, action: 'token.import', subject: `type=${types.join(',')}`, detail });
  return insertImportAudit(
    row,
    chunk.map(({ id }) => id),
  );
}
