/** The changes made to the pins table, as statements for SQLite's writer; it never runs one. */
import { type RawBuilder, sql } from 'kysely';
import type { AuditRow } from './audit-rows.ts';
import type { PinKey } from './pin-store.ts';
import { builder, type Statement, statementOf } from './schema.ts';

/** Who changed a pin, and when in Unix ms. */
export type PinStamp = { readonly by: string; readonly atMs: number };

export function selectPin({ pin, subject }: PinKey): Statement {
  return statementOf(
    builder
      .selectFrom('pins')
      .selectAll()
      .where('pin', '=', pin)
      .where('subject', '=', subject)
      .where('value', 'is not', null),
  );
}

/** Changes nothing where something is pinned. */
export function insertPinIfFree(key: PinKey, value: string, stamp: PinStamp): Statement {
  return upsertPin(key, value, stamp, sql<boolean>`pins.value is null`);
}

/** Changes nothing where this very value is pinned. */
export function replacePin(key: PinKey, value: string, stamp: PinStamp): Statement {
  return upsertPin(key, value, stamp, sql<boolean>`pins.value is not excluded.value`);
}

function upsertPin(
  key: PinKey,
  value: string,
  { by, atMs }: PinStamp,
  where: RawBuilder<boolean>,
): Statement {
  const { pin, subject } = key;
  const set = { value, pinned_at: atMs, pinned_by: by };
  return statementOf(
    builder
      .insertInto('pins')
      .values({ pin, subject, ...set, version: 1 })
      .onConflict((conflict) =>
        conflict
          .columns(['pin', 'subject'])
          .doUpdateSet((row) => ({ ...set, version: row('pins.version', '+', 1) }))
          .where(where),
      ),
  );
}

/** Changes nothing where nothing is pinned. */
export function clearPin({ pin, subject }: PinKey, { by, atMs }: PinStamp): Statement {
  return statementOf(
    builder
      .updateTable('pins')
      .set((row) => ({ value: null, pinned_at: atMs, pinned_by: by, version: row('version', '+', 1) }))
      .where('pin', '=', pin)
      .where('subject', '=', subject)
      .where('value', 'is not', null),
  );
}

/**
 * The audit row of a change that follows it in the batch: its detail gets what is pinned before. Added only if
 * `after` is not what is pinned anyway.
 */
export function insertPinAudit(row: AuditRow, { pin, subject }: PinKey, after: string | null): Statement {
  const before = sql<string | null>`(select value from pins where pin = ${pin} and subject = ${subject})`;
  const detail = sql<string>`json_set(${row.detail}, '$.before', ${before})`;
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
      .expression(builder.selectNoFrom(columns).where(sql<boolean>`${before} is not ${after}`)),
  );
}
