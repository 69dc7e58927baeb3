/** Audit rows in the SQLite file they tell of. */

import { askWith } from './ask.ts';
import type {
  AuditAction,
  AuditEntry,
  AuditEvent,
  AuditFilter,
  AuditPage,
  AuditStore,
} from './audit-store.ts';
import { insertAudit } from './audit-writes.ts';
import { type AuditTable, builder, statementOf } from './schema.ts';
import type { SqliteLink } from './sqlite-link.ts';

const page = builder.selectFrom('audit').selectAll().where('id', '>', '');
const PAGE = statementOf(page.orderBy('id').limit(1)).sql;
const PAGE_OF_SUBJECT = statementOf(page.where('subject', '=', '').orderBy('id').limit(1)).sql;

export function openSqliteAudit({ connection, broken, write, rowOf }: SqliteLink): AuditStore {
  const all = connection.prepare<[string, number], AuditTable>(PAGE);
  const ofSubject = connection.prepare<[string, string, number], AuditTable>(PAGE_OF_SUBJECT);
  const ask = askWith(broken);

  const list = (filter: AuditFilter): AuditPage => {
    const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
    const { subject, after } = filter;
    const rows = ask(() =>
      subject === null ? all.all(after ?? '', limit + 1) : ofSubject.all(after ?? '', subject, limit + 1),
    );
    const entries = rows.slice(0, limit).map(entryOf);
    return { entries, next: rows.length > limit ? (entries.at(-1)?.id ?? null) : null };
  };

  return {
    list,
    record: async (event: AuditEvent) => {
      await write([insertAudit(rowOf(event))]);
    },
  };
}

function entryOf({ id, at, actor, action, subject, detail }: AuditTable): AuditEntry {
  return { id, at, actor, action: action as AuditAction, subject, detail: JSON.parse(detail) };
}
