/** What is pinned to whom, and the audit rows. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

/** A pin that was let go keeps its row, with no value: its version goes on where it was. */
export function createPinsAndAudit<T>(db: Kysely<T>): readonly Statement[] {
  const pins = db.schema
    .createTable('pins')
    .addColumn('pin', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('value', 'text')
    .addColumn('pinned_at', 'integer', (column) => column.notNull())
    .addColumn('pinned_by', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('pins_key', ['pin', 'subject'])
    .modifyEnd(sql`strict`);
  const audit = db.schema
    .createTable('audit')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('at', 'integer', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('detail', 'text', (column) => column.notNull())
    .modifyEnd(sql`strict`);
  const bySubject = db.schema.createIndex('audit_subject').on('audit').columns(['subject', 'id']);
  return [statementOf(pins), statementOf(audit), statementOf(bySubject)];
}
