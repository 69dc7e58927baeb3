/** What probes are switched on for, and for whom. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

export function createActivations<T>(db: Kysely<T>): readonly Statement[] {
  const table = db.schema
    .createTable('activations')
    .addColumn('activation_id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('label_pattern', 'text', (column) => column.notNull())
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('environment', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'integer', (column) => column.notNull())
    .addColumn('trigger_expires_at', 'integer', (column) => column.notNull())
    .addColumn('deactivated_at', 'integer')
    .addColumn('deactivated_by', 'text')
    .modifyEnd(sql`strict`);
  const bySubject = db.schema
    .createIndex('activations_subject')
    .on('activations')
    .columns(['type', 'subject', 'created_at', 'activation_id']);
  return [statementOf(table), statementOf(bySubject)];
}
