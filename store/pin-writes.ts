/** The changes made to the pins table, as statements for the writer; it never runs one. */
import { type RawBuilder, sql } from 'kysely';
import { type AuditRow, insertAuditWhere } from './audit-writes.ts';
import type { PinKey } from './pin-store.ts';
import { builder, type PinsTable, type Statement, statementOf } from './schema.ts';

/** A row with something pinned. */
export type PinRow = PinsTable & { readonly value: string };

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
  return insertAuditWhere(row, sql<boolean>`${before} is not ${after}`, { before });
}
