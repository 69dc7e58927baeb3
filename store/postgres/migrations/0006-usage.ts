/** How often each token was used, and where it was last. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import type { Change } from '../../schema.ts';
import { text } from '../column.ts';

export function createUsageTables<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema
      .createTable('usage')
      .addColumn('token_id', text, (column) => column.notNull())
      .addColumn('seconds', 'bigint', (column) => column.notNull())
      .addColumn('start', 'bigint', (column) => column.notNull())
      .addColumn('route', text, (column) => column.notNull())
      .addColumn('passed', 'bigint', (column) => column.notNull())
      .addColumn('refused', 'bigint', (column) => column.notNull())
      .addColumn('failed', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('usage_key', ['token_id', 'seconds', 'start', 'route']),
    db.schema.createIndex('usage_start').on('usage').columns(['seconds', 'start']),
    db.schema
      .createTable('token_uses')
      .addColumn('token_id', text, (column) => column.notNull().primaryKey())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('address', text, (column) => column.notNull())
      .addColumn('route', text, (column) => column.notNull()),
  ];
}
