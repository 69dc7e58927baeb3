/** Additions to the audit as query trees, to stand in the batch of the change they tell of; it never runs one. */
import { sql } from 'kysely';
import type { AuditRow } from './audit-rows.ts';
import { builder, type Change, ifChanged } from './schema.ts';

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
