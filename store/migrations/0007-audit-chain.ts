/** Where each audit row stands in the chain, and what is left of tokens that are gone. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

/** Rows from before have no place in it until the chain begins. */
export function createAuditChain<T>(db: Kysely<T>): readonly Statement[] {
  const purged = db.schema
    .createTable('purged_tokens')
    .addColumn('mark', 'text', (column) => column.notNull().primaryKey())
    .addColumn('purge', 'text', (column) => column.notNull())
    .modifyEnd(sql`strict, without rowid`);
  return [
    statementOf(db.schema.alterTable('audit').addColumn('seq', 'integer')),
    statementOf(db.schema.alterTable('audit').addColumn('mac', 'text')),
    statementOf(db.schema.createIndex('audit_seq').on('audit').column('seq').unique()),
    { sql: 'create index audit_unsealed on audit (id) where seq is null', parameters: [] },
    { sql: "create index audit_purges on audit (seq) where action = 'audit.purge'", parameters: [] },
    statementOf(purged),
  ];
}
