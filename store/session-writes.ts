/** What is asked of the sessions and done to them, as query trees in words that every database here knows; it never runs one. */
import { sql } from 'kysely';
import { text, time } from './casts.ts';
import { builder, type Change, rawChange, type SessionsTable } from './schema.ts';
import type { SessionHolder } from './session-store.ts';

export type SessionRow = Readonly<SessionsTable>;

/** When a session that was not seen since is over, and what time it is. */
export type SessionClock = { readonly atMs: number; readonly seenAfterMs: number };

const listMax = 200;

const columns = [
  'id',
  'digest',
  'kind',
  'name',
  'proof',
  'address',
  'created_at',
  'last_seen_at',
  'expires_at',
] as const;

export function insertSession(row: SessionRow): Change {
  return builder.insertInto('sessions').values(row);
}

export function selectByDigest(digest: string, clock: SessionClock): Change {
  return lasting(clock).where('digest', '=', digest);
}

export function selectById(id: string, clock: SessionClock): Change {
  return lasting(clock).where('id', '=', id);
}

export function selectNewest(holder: SessionHolder | null, clock: SessionClock): Change {
  const all = lasting(clock).orderBy('id', 'desc').limit(listMax);
  return holder === null ? all : all.where('kind', '=', holder.kind).where('name', '=', holder.name);
}

function lasting({ atMs, seenAfterMs }: SessionClock) {
  return builder
    .selectFrom('sessions')
    .select(columns)
    .where('expires_at', '>', atMs)
    .where('last_seen_at', '>', seenAfterMs);
}

/** Forward only. */
export function markSeen(id: string, atMs: number): Change {
  return builder
    .updateTable('sessions')
    .set({ last_seen_at: atMs })
    .where('id', '=', id)
    .where('last_seen_at', '<', atMs);
}

export function deleteSession(id: string): Change {
  return builder.deleteFrom('sessions').where('id', '=', id);
}

export function forgetOver({ atMs, seenAfterMs }: SessionClock): Change {
  return rawChange(sql`
    delete from sessions where expires_at <= ${time(atMs)} or last_seen_at <= ${time(seenAfterMs)}`);
}

/** All but the newest so many. */
export function forgetBut({ kind, name }: SessionHolder, kept: number): Change {
  return rawChange(sql`
    delete from sessions where kind = ${text(kind)} and name = ${text(name)} and id not in (
      select id from sessions where kind = ${text(kind)} and name = ${text(name)}
      order by id desc limit ${time(kept)})`);
}
