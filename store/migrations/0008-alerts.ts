/** What was told, and where tokens were seen. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

export function createAlertTables<T>(db: Kysely<T>): readonly Statement[] {
  const alerts = db.schema
    .createTable('alerts')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('at', 'integer', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('token_id', 'text')
    .addColumn('detail', 'text', (column) => column.notNull())
    .addColumn('acknowledged_at', 'integer')
    .addColumn('acknowledged_by', 'text')
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('next_try_at', 'integer')
    .addColumn('delivered_at', 'integer')
    .modifyEnd(sql`strict, without rowid`);
  const places = db.schema
    .createTable('places')
    .addColumn('token_id', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addColumn('first_seen', 'integer', (column) => column.notNull())
    .addColumn('last_seen', 'integer', (column) => column.notNull())
    .addColumn('due_at', 'integer')
    .addPrimaryKeyConstraint('places_key', ['token_id', 'kind', 'value'])
    .modifyEnd(sql`strict, without rowid`);
  const tallies = db.schema
    .createTable('tallies')
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('seconds', 'integer', (column) => column.notNull())
    .addColumn('start', 'integer', (column) => column.notNull())
    .addColumn('count', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('tallies_key', ['kind', 'subject', 'seconds', 'start'])
    .modifyEnd(sql`strict, without rowid`);
  return [
    statementOf(alerts),
    statementOf(places),
    statementOf(tallies),
    statementOf(db.schema.createIndex('alerts_same').on('alerts').columns(['kind', 'subject', 'at'])),
    statementOf(
      db.schema
        .createIndex('alerts_open')
        .on('alerts')
        .column('id')
        .where(sql.ref('acknowledged_at'), 'is', null),
    ),
    statementOf(
      db.schema
        .createIndex('alerts_due')
        .on('alerts')
        .column('next_try_at')
        .where(sql.ref('next_try_at'), 'is not', null),
    ),
    statementOf(db.schema.createIndex('alerts_at').on('alerts').column('at')),
    statementOf(
      db.schema
        .createIndex('places_due')
        .on('places')
        .column('due_at')
        .where(sql.ref('due_at'), 'is not', null),
    ),
    statementOf(db.schema.createIndex('places_last_seen').on('places').column('last_seen')),
    statementOf(db.schema.createIndex('tallies_start').on('tallies').columns(['seconds', 'start'])),
  ];
}
