/** What is asked of the alerts and done to them, as query trees in words that every database here knows; it never runs one. */
import { sql } from 'kysely';
import type { AlertFilter } from './alert-store.ts';
import { text, time } from './casts.ts';
import { type AlertsTable, builder, type Change, rawChange } from './schema.ts';

export type AlertRow = Readonly<AlertsTable>;

/** Adds nothing where the same was raised after `quietSinceMs`. Alone, or two of these would not see each other. */
export function insertIfQuiet(row: AlertRow, quietSinceMs: number): Change {
  return rawChange(sql`
    insert into alerts (id, at, kind, subject, token_id, detail, attempts, next_try_at)
    select ${text(row.id)}, ${time(row.at)}, ${text(row.kind)}, ${text(row.subject)}, ${text(row.token_id)},
      ${text(row.detail)}, ${time(row.attempts)}, ${time(row.next_try_at)}
    where not exists (
      select 1 from alerts where kind = ${row.kind} and subject = ${row.subject} and at > ${time(quietSinceMs)})`);
}

/** One more than `limit`, where there are more. */
export function selectAlerts({ open, after }: AlertFilter, limit: number): Change {
  let page = builder.selectFrom('alerts').selectAll();
  if (open) page = page.where('acknowledged_at', 'is', null);
  if (after !== null) page = page.where('id', '<', after);
  return page.orderBy('id', 'desc').limit(limit);
}

export function selectAlert(id: string): Change {
  return builder.selectFrom('alerts').selectAll().where('id', '=', id);
}

/** Changes nothing of one that is acknowledged already. */
export function markAcknowledged(id: string, by: string, atMs: number): Change {
  return builder
    .updateTable('alerts')
    .set({ acknowledged_at: atMs, acknowledged_by: by })
    .where('id', '=', id)
    .where('acknowledged_at', 'is', null);
}

export function selectDue(atMs: number, limit: number): Change {
  return builder
    .selectFrom('alerts')
    .selectAll()
    .where('next_try_at', '<=', atMs)
    .orderBy('next_try_at')
    .limit(limit);
}

/** Changes nothing where somebody else has claimed it since. */
export function markClaimed(id: string, seenTryAt: number, nextTryAt: number): Change {
  return builder
    .updateTable('alerts')
    .set((row) => ({ attempts: row('attempts', '+', 1), next_try_at: nextTryAt }))
    .where('id', '=', id)
    .where('next_try_at', '=', seenTryAt);
}

export function markDelivered(id: string, atMs: number): Change {
  return builder
    .updateTable('alerts')
    .set({ delivered_at: atMs, next_try_at: null })
    .where('id', '=', id)
    .where('delivered_at', 'is', null);
}

export function markFailed(id: string, nextTryAt: number | null): Change {
  return builder
    .updateTable('alerts')
    .set({ next_try_at: nextTryAt })
    .where('id', '=', id)
    .where('delivered_at', 'is', null);
}

export function forgetAlerts(beforeMs: number): Change {
  return builder.deleteFrom('alerts').where('at', '<', beforeMs);
}
