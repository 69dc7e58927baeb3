/** What was told, and where tokens were seen. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import type { Change } from '../../schema.ts';
import { text } from '../column.ts';

export function createAlertTables<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema
      .createTable('alerts')
      .addColumn('id', text, (column) => column.notNull().primaryKey())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('kind', text, (column) => column.notNull())
      .addColumn('subject', text, (column) => column.notNull())
      .addColumn('token_id', text)
      .addColumn('detail', text, (column) => column.notNull())
      .addColumn('acknowledged_at', 'bigint')
      .addColumn('acknowledged_by', text)
      .addColumn('attempts', 'bigint', (column) => column.notNull())
      .addColumn('next_try_at', 'bigint')
      .addColumn('delivered_at', 'bigint'),
    db.schema
      .createTable('places')
      .addColumn('token_id', text, (column) => column.notNull())
      .addColumn('kind', text, (column) => column.notNull())
      .addColumn('value', text, (column) => column.notNull())
      .addColumn('first_seen', 'bigint', (column) => column.notNull())
      .addColumn('last_seen', 'bigint', (column) => column.notNull())
      .addColumn('due_at', 'bigint')
      .addPrimaryKeyConstraint('places_key', ['token_id', 'kind', 'value']),
    db.schema
      .createTable('tallies')
      .addColumn('kind', text, (column) => column.notNull())
      .addColumn('subject', text, (column) => column.notNull())
      .addColumn('seconds', 'bigint', (column) => column.notNull())
      .addColumn('start', 'bigint', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('tallies_key', ['kind', 'subject', 'seconds', 'start']),
    db.schema.createIndex('alerts_same').on('alerts').columns(['kind', 'subject', 'at']),
    db.schema
      .createIndex('alerts_open')
      .on('alerts')
      .column('id')
      .where(sql.ref('acknowledged_at'), 'is', null),
    db.schema
      .createIndex('alerts_due')
      .on('alerts')
      .column('next_try_at')
      .where(sql.ref('next_try_at'), 'is not', null),
    db.schema.createIndex('alerts_at').on('alerts').column('at'),
    db.schema
      .createIndex('places_due')
      .on('places')
      .column('due_at')
      .where(sql.ref('due_at'), 'is not', null),
    db.schema.createIndex('places_last_seen').on('places').column('last_seen'),
    db.schema.createIndex('tallies_start').on('tallies').columns(['seconds', 'start']),
  ];
}
