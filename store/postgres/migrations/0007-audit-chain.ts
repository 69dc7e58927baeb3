/** Where each audit row stands in the chain, and what is left of tokens that are gone. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Change, rawChange } from '../../schema.ts';
import { text } from '../column.ts';

/** Rows from before have no place in it until the chain begins. */
export function createAuditChain<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema.alterTable('audit').addColumn('seq', 'bigint'),
    db.schema.alterTable('audit').addColumn('mac', text),
    db.schema.createIndex('audit_seq').on('audit').column('seq').unique(),
    rawChange(sql`create index audit_unsealed on audit (id) where seq is null`),
    rawChange(sql`create index audit_purges on audit (seq) where action = 'audit.purge'`),
    db.schema
      .createTable('purged_tokens')
      .addColumn('mark', text, (column) => column.notNull().primaryKey())
      .addColumn('purge', text, (column) => column.notNull()),
  ];
}
