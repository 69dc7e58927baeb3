/** The attributes of tokens by value, as query trees: what the tokens table says as JSON, made searchable. */
import { type RawBuilder, sql } from 'kysely';
import type { AttributeValue } from '../policy/token-types.ts';
import { builder, type Change, rawChange, type TokensTable } from './schema.ts';
import { endsWithin, isRotated } from './token-ending.ts';
import { RECORD_COLUMNS } from './token-rows.ts';
import type { ListFilter } from './token-store.ts';
import { notUsedSince } from './token-unused.ts';

const ROWS_MAX = 1_024;

/** For tokens that came in just before in the batch; one that did not, for it was there already, changes nothing. */
export function fillAttributes(tokens: readonly Pick<TokensTable, 'id' | 'attributes'>[]): readonly Change[] {
  const rows = tokens.flatMap(({ id, attributes }) =>
    pairsOf(new Map<string, AttributeValue>(Object.entries(JSON.parse(attributes))))
      .filter(isText)
      .map(([name, value]) => sql`(${id}, ${name}, ${value})`),
  );
  const changes: Change[] = [];
  for (let start = 0; start < rows.length; start += ROWS_MAX) {
    const some = rows.slice(start, start + ROWS_MAX);
    const [first = sql``] = some;
    // Few lengths, so that few statements are kept prepared; the same row once more changes nothing.
    const size = 2 ** Math.ceil(Math.log2(some.length));
    const padded = [...some, ...Array<RawBuilder<unknown>>(size - some.length).fill(first)];
    changes.push(
      rawChange(sql`
        with given (token_id, name, value) as (values ${sql.join(padded)})
        insert into token_attributes (token_id, name, value)
        select token_id, name, value from given where exists (select 1 from tokens where id = given.token_id)
        on conflict do nothing`),
    );
  }
  return changes;
}

/** The successor has what the token before it has. */
export function copyAttributes(id: string, successor: string): Change {
  return rawChange(sql`
    insert into token_attributes (token_id, name, value)
    select cast(${successor} as text), name, value from token_attributes
    where token_id = ${id} and exists (select 1 from tokens where id = ${successor})`);
}

/** Before `fillAttributes`, where they have changed. */
export function clearAttributes(id: string): Change {
  return builder.deleteFrom('token_attributes').where('token_id', '=', id);
}

/** Whether a token of the tokens table has all of these; of a list, each value that is named. */
export function hasAttributes(
  attributes: ReadonlyMap<string, AttributeValue>,
  beyond: RawBuilder<boolean> = sql<boolean>`true`,
): RawBuilder<boolean> {
  const pairs = pairsOf(attributes);
  if (!pairs.every(isText)) return sql<boolean>`false`;
  const each = pairs.map(
    ([name, value]) =>
      sql<boolean>`id in (select token_id from token_attributes where name = ${name} and value = ${value} and ${beyond})`,
  );
  return each.length === 0 ? sql<boolean>`true` : sql<boolean>`(${sql.join(each, sql` and `)})`;
}

/**
 * Whether a token is of a type, beside `hasAttributes`. Not as a plain column: SQLite would then look through all
 * tokens of the type, by an index that begins with it, rather than take the few that have the attributes.
 */
export function isOfType(type: string, attributes: ReadonlyMap<string, AttributeValue>): RawBuilder<boolean> {
  return attributes.size === 0 ? sql<boolean>`type = ${type}` : sql<boolean>`type || '' = ${type}`;
}

/** In order of id; `limit` as given. */
export function selectPage(
  { type, attributes, unusedSince, ends, rotated, after, newestFirst = false }: ListFilter,
  limit: number,
): Change {
  const beyond = (id: RawBuilder<unknown>) => {
    if (after === undefined && newestFirst) return sql<boolean>`true`;
    return newestFirst ? sql<boolean>`${id} < ${after}` : sql<boolean>`${id} > ${after ?? ''}`;
  };
  // The cursor stands with the attributes where there are any: beside them it would have SQLite read every token after it.
  const some = attributes !== undefined && attributes.size > 0;
  const page = builder
    .selectFrom('tokens')
    .select(RECORD_COLUMNS)
    .where(some ? hasAttributes(attributes, beyond(sql`token_id`)) : beyond(sql`id`))
    .orderBy('id', newestFirst ? 'desc' : 'asc')
    .limit(limit);
  const unused =
    unusedSince === undefined ? page : page.where('revoked_at', 'is', null).where(notUsedSince(unusedSince));
  const ending = ends === undefined ? unused : unused.where(endsWithin(ends));
  const followed = rotated === undefined ? ending : ending.where(isRotated);
  return type === undefined ? followed : followed.where(isOfType(type, attributes ?? new Map()));
}

function pairsOf(attributes: ReadonlyMap<string, AttributeValue>): readonly (readonly [string, string])[] {
  return [...attributes].flatMap(([name, value]) => [value].flat().map((one) => [name, one] as const));
}

/** PostgreSQL keeps no text with a NUL in it, and no token should have one: what has one is found by nothing. */
function isText(pair: readonly [string, string]): boolean {
  return pair.every((text) => !text.includes('\0'));
}
