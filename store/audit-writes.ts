/** What is added to the audit, asked of its chain and taken from its beginning, as query trees; it never runs one. */
import { sql } from 'kysely';
import type { AuditRow } from './audit-rows.ts';
import { text, time } from './casts.ts';
import { builder, type Change, ifChanged, rawChange } from './schema.ts';

export function insertAudit(row: AuditRow): Change {
  return builder.insertInto('audit').values(row);
}

/**
 * One row for a chunk of an import that brought anything. `ids` are those its rows were to have: the ones that
 * are there now are the ones that went in, and their number stands in the detail for `"imported":null`.
 */
export function insertImportAudit(row: AuditRow, ids: readonly string[]): Change {
  // SQLite and PostgreSQL both have json_each, and of an object both call its names `key`.
  const given = JSON.stringify(Object.fromEntries(ids.map((id) => [id, 0])));
  const imported = sql`(select count(*) from tokens where id in (select key from json_each(${given})))`;
  const counted = sql`'"imported":' || cast(${imported} as text)`;
  const detail = sql<string>`replace(${row.detail}, '"imported":null', ${counted})`;
  return ifChanged(builder.insertInto('audit').values({ ...row, detail }));
}

/** The last row of the chain. */
export function selectHead(): Change {
  return builder.selectFrom('audit').selectAll().where('seq', 'is not', null).orderBy('seq', 'desc').limit(1);
}

/** In order of the chain; by id too, for somebody may have given two rows the same number. */
export function selectSealed([seq, id]: readonly [seq: number, id: string], limit: number): Change {
  return builder
    .selectFrom('audit')
    .selectAll()
    .where('seq', 'is not', null)
    .where(sql<boolean>`(seq, id) > (${time(seq)}, ${text(id)})`)
    .orderBy('seq')
    .orderBy('id')
    .limit(limit);
}

/** Of rows of the chain. */
export function selectLastPurge(): Change {
  return rawChange(sql`
    select detail from audit where action = 'audit.purge' and subject = 'audit' and seq is not null
    order by seq desc limit 1`);
}

export function countUnsealed(): Change {
  return rawChange(sql`
    select cast(count(*) as bigint) as count, min(id) as id from audit where seq is null`);
}

/** In order of id. */
export function selectUnsealed(after: string, limit: number): Change {
  return builder
    .selectFrom('audit')
    .selectAll()
    .where('seq', 'is', null)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit);
}

export function deleteThrough(seq: number): Change {
  return builder.deleteFrom('audit').where('seq', '<=', seq);
}

export function deleteUnsealed(ids: readonly string[]): Change {
  const given = JSON.stringify(Object.fromEntries(ids.map((id) => [id, 0])));
  return rawChange(sql`delete from audit where seq is null and id in (select key from json_each(${given}))`);
}
