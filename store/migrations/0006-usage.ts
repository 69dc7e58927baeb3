/** How often each token was used, and where it was last. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

export function createUsageTables<T>(db: Kysely<T>): readonly Statement[] {
  const usage = db.schema
    .createTable('usage')
    .addColumn('token_id', 'text', (column) => column.notNull())
    .addColumn('seconds', 'integer', (column) => column.notNull())
    .addColumn('start', 'integer', (column) => column.notNull())
    .addColumn('route', 'text', (column) => column.notNull())
    .addColumn('passed', 'integer', (column) => column.notNull())
    .addColumn('refused', 'integer', (column) => column.notNull())
    .addColumn('failed', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('usage_key', ['token_id', 'seconds', 'start', 'route'])
    .modifyEnd(sql`strict, without rowid`);
  const byStart = db.schema.createIndex('usage_start').on('usage').columns(['seconds', 'start']);
  const uses = db.schema
    .createTable('token_uses')
    .addColumn('token_id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('at', 'integer', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('route', 'text', (column) => column.notNull())
    .modifyEnd(sql`strict, without rowid`);
  return [statementOf(usage), statementOf(byStart), statementOf(uses)];
}
