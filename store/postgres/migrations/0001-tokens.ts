/** The first schema: the tokens table. Never edited after a release; a change is a new file. */
import { type Kysely, sql } from 'kysely';
import type { Change } from '../../schema.ts';
import { text } from '../column.ts';

const TIMES = ['not_before', 'expires_at', 'last_used_at', 'retire_at', 'disabled_at', 'revoked_at'];
const TEXTS = ['digest', 'bcrypt', 'lookup', 'external_id', 'rotated_to', 'revoked_by', 'revoked_reason'];
const REQUIRED_TEXTS = ['type', 'label', 'preview', 'scopes', 'attributes', 'origins', 'created_by'];

/** As on SQLite: `digest`, `bcrypt` and (`type`, `external_id`) are unique, so that an import may run twice. */
export function createTokens<T>(db: Kysely<T>): readonly Change[] {
  let table = db.schema
    .createTable('tokens')
    .addColumn('id', text, (column) => column.notNull().primaryKey());
  for (const name of REQUIRED_TEXTS) table = table.addColumn(name, text, (column) => column.notNull());
  for (const name of TEXTS) table = table.addColumn(name, text);
  table = table.addColumn('created_at', 'bigint', (column) => column.notNull());
  for (const name of TIMES) table = table.addColumn(name, 'bigint');
  table = table
    .addColumn('version', 'integer', (column) => column.notNull())
    .addCheckConstraint('findable', sql`digest is not null or (bcrypt is not null and lookup is not null)`)
    // Room beside each row for its next last_used_at: such an update then touches no index.
    .modifyEnd(sql`with (fillfactor = 85)`);
  const index = (name: string) => db.schema.createIndex(name).on('tokens');
  return [
    table,
    index('tokens_digest').unique().column('digest'),
    index('tokens_bcrypt').unique().column('bcrypt'),
    index('tokens_external_id').unique().columns(['type', 'external_id']),
    index('tokens_lookup').columns(['lookup', 'type']).where(sql.ref('digest'), 'is', null),
  ];
}
