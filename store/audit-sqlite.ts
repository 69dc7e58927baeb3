/** Audit rows in the SQLite file they tell of. */
import { askWith } from './ask.ts';
import { afterAll, auditPageOf } from './audit-rows.ts';
import type { AuditEvent, AuditFilter, AuditPage, AuditStore } from './audit-store.ts';
import { insertAudit } from './audit-writes.ts';
import { type AuditTable, builder, statementOf } from './schema.ts';
import type { SqliteLink } from './sqlite-link.ts';

const rows = builder.selectFrom('audit').selectAll();
const upwards = rows.where('id', '>', '');
const downwards = rows.where('id', '<', '');
const PAGE = statementOf(upwards.orderBy('id').limit(1)).sql;
const PAGE_OF_SUBJECT = statementOf(upwards.where('subject', '=', '').orderBy('id').limit(1)).sql;
const PAGE_BACK = statementOf(downwards.orderBy('id', 'desc').limit(1)).sql;
const PAGE_BACK_OF_SUBJECT = statementOf(
  downwards.where('subject', '=', '').orderBy('id', 'desc').limit(1),
).sql;

export function openSqliteAudit({
  connection,
  broken,
  write,
  rowOf,
}: SqliteLink): Pick<AuditStore, 'list' | 'record'> {
  const pages = (all: string, ofSubject: string) => ({
    all: connection.prepare<[string, number], AuditTable>(all),
    ofSubject: connection.prepare<[string, string, number], AuditTable>(ofSubject),
  });
  const oldestFirst = pages(PAGE, PAGE_OF_SUBJECT);
  const newestFirst = pages(PAGE_BACK, PAGE_BACK_OF_SUBJECT);
  const ask = askWith(broken);

  const list = (filter: AuditFilter): AuditPage => {
    const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
    const { subject } = filter;
    const { all, ofSubject } = filter.newestFirst ? newestFirst : oldestFirst;
    const after = filter.after ?? (filter.newestFirst ? afterAll : '');
    const found = ask(() =>
      subject === null ? all.all(after, limit + 1) : ofSubject.all(after, subject, limit + 1),
    );
    return auditPageOf(found, limit);
  };

  return {
    list,
    record: async (event: AuditEvent) => {
      await write([statementOf(insertAudit(rowOf(event)))]);
    },
  };
}
