/** Audit rows as statements for the writer, to stand in the batch of the change they tell of; it never runs one. */
import { type RawBuilder, sql } from 'kysely';
import type { AuditEvent } from './audit-store.ts';
import { createIds } from './id.ts';
import { type AuditTable, builder, type Statement, statementOf } from './schema.ts';

export type AuditRow = Readonly<AuditTable>;

/** A maker of rows, in order of their ids. @param now Unix ms. */
export function createAuditRows(now: () => number): (event: AuditEvent) => AuditRow {
  const nextId = createIds('aud_', now);
  return ({ actor, action, subject, detail }) => {
    return { id: nextId(), at: now(), actor, action, subject, detail: JSON.stringify(detail) };
  };
}

export function insertAudit(row: AuditRow): Statement {
  return statementOf(builder.insertInto('audit').values(row));
}

/** Adds the row only if the statement just before it in the batch changed something. */
export function insertAuditIfChanged(row: AuditRow): Statement {
  return insertAuditWhere(row, sql<boolean>`changes() > 0`);
}

/**
 * One row for a chunk of an import, if any of it is new. `ids` are those its rows were to have: the ones that are
 * there now are the ones that went in.
 */
export function insertImportAudit(row: AuditRow, ids: readonly string[]): Statement {
  const given = JSON.stringify(ids);
  const imported = sql<number>`(select count(*) from tokens where id in (select value from json_each(${given})))`;
  return insertAuditWhere(row, sql<boolean>`${imported} > 0`, { imported });
}

/** Adds the row if the condition holds; `known` is what only the database can tell of the detail. */
export function insertAuditWhere(
  row: AuditRow,
  condition: RawBuilder<boolean>,
  known: Readonly<Record<string, RawBuilder<unknown>>> = {},
): Statement {
  let detail = sql<string>`${row.detail}`;
  for (const [key, value] of Object.entries(known)) {
    detail = sql<string>`json_set(${detail}, ${`$.${key}`}, ${value})`;
  }
  const columns = [
    sql<string>`${row.id}`.as('id'),
    sql<number>`${row.at}`.as('at'),
    sql<string>`${row.actor}`.as('actor'),
    sql<string>`${row.action}`.as('action'),
    sql<string>`${row.subject}`.as('subject'),
    detail.as('detail'),
  ];
  return statementOf(
    builder
      .insertInto('audit')
      .columns(['id', 'at', 'actor', 'action', 'subject', 'detail'])
      .expression(builder.selectNoFrom(columns).where(condition)),
  );
}
