/** Audit rows in the PostgreSQL database they tell of. */
import { afterAll, auditPageOf } from './audit-rows.ts';
import type { AuditStore } from './audit-store.ts';
import { insertAudit } from './audit-writes.ts';
import { postgresStatement } from './postgres/compile.ts';
import { isText, type PostgresDatabase } from './postgres/database.ts';
import { type AuditTable, builder } from './schema.ts';

export function createPostgresAudit({ link, rowOf }: PostgresDatabase): Pick<AuditStore, 'list' | 'record'> {
  return {
    async list(filter) {
      const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
      const { subject, newestFirst = false } = filter;
      const after = filter.after ?? (newestFirst ? afterAll : '');
      if (!isText(after) || !isText(subject ?? '')) return auditPageOf([], limit);
      let page = builder
        .selectFrom('audit')
        .selectAll()
        .where('id', newestFirst ? '<' : '>', after);
      if (subject !== null) page = page.where('subject', '=', subject);
      const rows = await link.read<AuditTable>(
        postgresStatement(page.orderBy('id', newestFirst ? 'desc' : 'asc').limit(limit + 1)),
      );
      return auditPageOf(rows, limit);
    },

    async record(event) {
      await link.write([postgresStatement(insertAudit(rowOf(event)))]);
    },
  };
}
