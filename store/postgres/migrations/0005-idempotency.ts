/** What was done under which Idempotency-Key. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import type { Change } from '../../schema.ts';
import { text } from '../column.ts';

export function createIdempotency<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema
      .createTable('idempotency')
      .addColumn('caller', text, (column) => column.notNull())
      .addColumn('key_digest', text, (column) => column.notNull())
      .addColumn('request_digest', text, (column) => column.notNull())
      .addColumn('token_id', text, (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('idempotency_key', ['caller', 'key_digest']),
    db.schema.createIndex('idempotency_created_at').on('idempotency').column('created_at'),
  ];
}
