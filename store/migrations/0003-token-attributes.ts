/** Attributes by value, so that the tokens of a project are found without reading all. Never edited after a release. */
import { type Kysely, sql } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

/** A list has one row per value. Fills itself from the tokens that are there. Whom a token replaced is found as well. */
export function createTokenAttributes<T>(db: Kysely<T>): readonly Statement[] {
  const table = db.schema
    .createTable('token_attributes')
    .addColumn('token_id', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('token_attributes_key', ['token_id', 'name', 'value'])
    .modifyEnd(sql`strict, without rowid`);
  const index = db.schema
    .createIndex('token_attributes_value')
    .on('token_attributes')
    .columns(['name', 'value', 'token_id']);
  const byRotation = db.schema
    .createIndex('tokens_rotated_to')
    .on('tokens')
    .column('rotated_to')
    .where(sql.ref('rotated_to'), 'is not', null);
  const filled = `insert or ignore into token_attributes (token_id, name, value)
    select t.id, a.key, v.value from tokens t, json_each(t.attributes) a,
      json_each(case a.type when 'array' then a.value else json_array(a.value) end) v`;
  return [statementOf(table), statementOf(index), statementOf(byRotation), { sql: filled, parameters: [] }];
}
