/** Who is signed in to the dashboard, and the order in which it lists tokens of a type. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import type { Change } from '../../schema.ts';
import { text } from '../column.ts';

export function createDashboardTables<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema
      .createTable('sessions')
      .addColumn('id', text, (column) => column.notNull().primaryKey())
      .addColumn('digest', text, (column) => column.notNull())
      .addColumn('kind', text, (column) => column.notNull())
      .addColumn('name', text, (column) => column.notNull())
      .addColumn('proof', text, (column) => column.notNull())
      .addColumn('address', text, (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('last_seen_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull()),
    db.schema.createIndex('sessions_digest').unique().on('sessions').column('digest'),
    db.schema.createIndex('sessions_holder').on('sessions').columns(['kind', 'name', 'id']),
    db.schema.createIndex('tokens_type').on('tokens').columns(['type', 'id']),
  ];
}
