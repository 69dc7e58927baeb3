/** Which rotated tokens are to end once they are quiet. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

export function createRetirementsTable<T>(db: Kysely<T>): readonly Statement[] {
  const table = db.schema
    .createTable('retirements')
    .addColumn('token_id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('successor', 'text', (column) => column.notNull())
    .addColumn('asked_at', 'integer', (column) => column.notNull())
    .addColumn('asked_by', 'text', (column) => column.notNull())
    .modifyEnd(sql`strict, without rowid`);
  return [statementOf(table)];
}
