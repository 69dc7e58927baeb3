/** Attributes by value, so that the tokens of a project are found without reading all. Never edited after a release. */
import { type Kysely, sql } from 'kysely';
import { type Change, rawChange } from '../../schema.ts';
import { text } from '../column.ts';

/** As on SQLite. A list has one row per value. Fills itself from the tokens that are there. */
export function createTokenAttributes<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema
      .createTable('token_attributes')
      .addColumn('token_id', text, (column) => column.notNull())
      .addColumn('name', text, (column) => column.notNull())
      .addColumn('value', text, (column) => column.notNull())
      .addPrimaryKeyConstraint('token_attributes_key', ['token_id', 'name', 'value']),
    db.schema
      .createIndex('token_attributes_value')
      .on('token_attributes')
      .columns(['name', 'value', 'token_id']),
    db.schema
      .createIndex('tokens_rotated_to')
      .on('tokens')
      .column('rotated_to')
      .where(sql.ref('rotated_to'), 'is not', null),
    rawChange(sql`
      insert into token_attributes (token_id, name, value)
      select t.id, a.key, v.value from tokens t, json_each(t.attributes::json) a,
        json_array_elements_text(
          case json_typeof(a.value) when 'array' then a.value else json_build_array(a.value) end
        ) v (value)
      where position('\\u0000' in t.attributes) = 0
      on conflict do nothing`),
  ];
}
