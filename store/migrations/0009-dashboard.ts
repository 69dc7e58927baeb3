/** Who is signed in to the dashboard, and the order in which it lists tokens of a type. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

export function createDashboardTables<T>(db: Kysely<T>): readonly Statement[] {
  const table = db.schema
    .createTable('sessions')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('proof', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('last_seen_at', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'integer', (column) => column.notNull())
    .modifyEnd(sql`strict, without rowid`);
  const byDigest = db.schema.createIndex('sessions_digest').unique().on('sessions').column('digest');
  const byHolder = db.schema.createIndex('sessions_holder').on('sessions').columns(['kind', 'name', 'id']);
  const byType = db.schema.createIndex('tokens_type').on('tokens').columns(['type', 'id']);
  return [statementOf(table), statementOf(byDigest), statementOf(byHolder), statementOf(byType)];
}
