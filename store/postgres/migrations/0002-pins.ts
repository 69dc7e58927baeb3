/** What is pinned to whom, and the audit rows. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import type { Change } from '../../schema.ts';
import { text } from '../column.ts';

/** A pin that was let go keeps its row, with no value: its version goes on where it was. */
export function createPinsAndAudit<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema
      .createTable('pins')
      .addColumn('pin', text, (column) => column.notNull())
      .addColumn('subject', text, (column) => column.notNull())
      .addColumn('value', text)
      .addColumn('pinned_at', 'bigint', (column) => column.notNull())
      .addColumn('pinned_by', text, (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('pins_key', ['pin', 'subject']),
    db.schema
      .createTable('audit')
      .addColumn('id', text, (column) => column.notNull().primaryKey())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('actor', text, (column) => column.notNull())
      .addColumn('action', text, (column) => column.notNull())
      .addColumn('subject', text, (column) => column.notNull())
      .addColumn('detail', text, (column) => column.notNull()),
    db.schema.createIndex('audit_subject').on('audit').columns(['subject', 'id']),
  ];
}
