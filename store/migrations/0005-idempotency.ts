/** What was done under which Idempotency-Key. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

export function createIdempotency<T>(db: Kysely<T>): readonly Statement[] {
  const table = db.schema
    .createTable('idempotency')
    .addColumn('caller', 'text', (column) => column.notNull())
    .addColumn('key_digest', 'text', (column) => column.notNull())
    .addColumn('request_digest', 'text', (column) => column.notNull())
    .addColumn('token_id', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('idempotency_key', ['caller', 'key_digest'])
    .modifyEnd(sql`strict, without rowid`);
  const byTime = db.schema.createIndex('idempotency_created_at').on('idempotency').column('created_at');
  return [statementOf(table), statementOf(byTime)];
}
