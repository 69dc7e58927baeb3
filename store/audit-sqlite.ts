/** Audit rows in the SQLite file they tell of. */
import { askWith } from './ask.ts';
import { auditPageOf } from './audit-rows.ts';
import type { AuditEvent, AuditFilter, AuditPage, AuditStore } from './audit-store.ts';
import { insertAudit } from './audit-writes.ts';
import { type AuditTable, builder, statementOf } from './schema.ts';
import type { SqliteLink } from './sqlite-link.ts';

const page = builder.selectFrom('audit').selectAll().where('id', '>', '');
const PAGE = statementOf(page.orderBy('id').limit(1)).sql;
const PAGE_OF_SUBJECT = statementOf(page.where('subject', '=', '').orderBy('id').limit(1)).sql;

export function openSqliteAudit({
  connection,
  broken,
  write,
  rowOf,
}: SqliteLink): Pick<AuditStore, 'list' | 'record'> {
  const all = connection.prepare<[string, number], AuditTable>(PAGE);
  const ofSubject = connection.prepare<[string, string, number], AuditTable>(PAGE_OF_SUBJECT);
  const ask = askWith(broken);

  const list = (filter: AuditFilter): AuditPage => {
    const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
    const { subject, after } = filter;
    const rows = ask(() =>
      subject === null ? all.all(after ?? '', limit + 1) : ofSubject.all(after ?? '', subject, limit + 1),
    );
    return auditPageOf(rows, limit);
  };

  return {
    list,
    record: async (event: AuditEvent) => {
      await write([statementOf(insertAudit(rowOf(event)))]);
    },
  };
}
