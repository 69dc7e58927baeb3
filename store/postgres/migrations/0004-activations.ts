/** What probes are switched on for, and for whom. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import type { Change } from '../../schema.ts';
import { text } from '../column.ts';

export function createActivations<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema
      .createTable('activations')
      .addColumn('activation_id', text, (column) => column.notNull().primaryKey())
      .addColumn('type', text, (column) => column.notNull())
      .addColumn('subject', text, (column) => column.notNull())
      .addColumn('label_pattern', text, (column) => column.notNull())
      .addColumn('service', text, (column) => column.notNull())
      .addColumn('environment', text, (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('created_by', text, (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('trigger_expires_at', 'bigint', (column) => column.notNull())
      .addColumn('deactivated_at', 'bigint')
      .addColumn('deactivated_by', text),
    db.schema
      .createIndex('activations_subject')
      .on('activations')
      .columns(['type', 'subject', 'created_at', 'activation_id']),
  ];
}
