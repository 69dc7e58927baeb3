/** Which rotated tokens are to end once they are quiet. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import type { Change } from '../../schema.ts';
import { text } from '../column.ts';

export function createRetirementsTable<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema
      .createTable('retirements')
      .addColumn('token_id', text, (column) => column.notNull().primaryKey())
      .addColumn('successor', text, (column) => column.notNull())
      .addColumn('asked_at', 'bigint', (column) => column.notNull())
      .addColumn('asked_by', text, (column) => column.notNull()),
  ];
}
