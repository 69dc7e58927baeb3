/** What is asked of the activations and done to them, as query trees in words that every database here knows; it never runs one. */
import { type RawBuilder, sql } from 'kysely';
import { text, time } from './casts.ts';
import type { ProbeKey } from './probe-store.ts';
import { type ActivationsTable, builder, type Change, rawChange } from './schema.ts';

export type ActivationRow = Readonly<ActivationsTable>;

const columns = sql.raw(
  'activation_id, type, subject, label_pattern, service, environment, created_at, created_by, expires_at, trigger_expires_at',
);

/** Adds nothing where `activeMax` live at the time of its making. Alone, or two of these would not see each other. */
export function insertIfRoom(row: ActivationRow, activeMax: number): Change {
  const { created_at: atMs } = row;
  return rawChange(sql`
    insert into activations (${columns})
    select ${text(row.activation_id)}, ${text(row.type)}, ${text(row.subject)}, ${text(row.label_pattern)},
      ${text(row.service)}, ${text(row.environment)}, ${time(atMs)}, ${text(row.created_by)},
      ${time(row.expires_at)}, ${time(row.trigger_expires_at)}
    where (
      select count(*) from activations
      where ${isOf(row)} and deactivated_at is null and expires_at > ${time(atMs)}
    ) < ${time(activeMax)}`);
}

/** What ended before this: nobody asks for it any more. */
export function forget(key: ProbeKey, beforeMs: number): Change {
  return rawChange(sql`
    delete from activations
    where ${isOf(key)} and (deactivated_at < ${time(beforeMs)}
      or (expires_at < ${time(beforeMs)} and trigger_expires_at < ${time(beforeMs)}))`);
}

/** All but the last so many of those that are over at a time: each makes room for another, and all are counted. */
export function forgetBut(key: ProbeKey, kept: number, atMs: number): Change {
  const isOver = sql<boolean>`(deactivated_at is not null
    or (expires_at <= ${time(atMs)} and trigger_expires_at <= ${time(atMs)}))`;
  return rawChange(sql`
    delete from activations
    where ${isOf(key)} and ${isOver} and activation_id not in (
      select activation_id from activations where ${isOf(key)} and ${isOver}
      order by coalesce(deactivated_at, trigger_expires_at) desc, activation_id desc limit ${time(kept)})`);
}

/** Changes nothing of one that is deactivated already. */
export function markDeactivated(key: ProbeKey, id: string, by: string, atMs: number): Change {
  return rawChange(sql`
    update activations set deactivated_at = ${time(atMs)}, deactivated_by = ${text(by)}
    where activation_id = ${id} and ${isOf(key)} and deactivated_at is null`);
}

export function selectActivation({ type, subject }: ProbeKey, id: string): Change {
  return builder
    .selectFrom('activations')
    .selectAll()
    .where('activation_id', '=', id)
    .where('type', '=', type)
    .where('subject', '=', subject);
}

/** Where a page begins: after this one, in order of their making. */
export type Position = readonly [createdAt: number, id: string];

export function selectLasting(
  { type, subject }: ProbeKey,
  atMs: number,
  [createdAt, id]: Position,
  limit: number,
): Change {
  return builder
    .selectFrom('activations')
    .selectAll()
    .where('type', '=', type)
    .where('subject', '=', subject)
    .where('deactivated_at', 'is', null)
    .where((row) => row.or([row('expires_at', '>', atMs), row('trigger_expires_at', '>', atMs)]))
    .where(sql<boolean>`(created_at, activation_id) > (${time(createdAt)}, ${text(id)})`)
    .orderBy('created_at')
    .orderBy('activation_id')
    .limit(limit);
}

function isOf({ type, subject }: ProbeKey): RawBuilder<boolean> {
  return sql<boolean>`type = ${type} and subject = ${subject}`;
}
