/** Removes tokens that ended long ago, and sees to it that none of them comes back. Each chunk and its audit row in one transaction. */
import { type RawBuilder, sql } from 'kysely';
import type { AuditRow, AuditRows } from './audit-rows.ts';
import { text, time } from './casts.ts';
import { chunksOf } from './chunks.ts';
import { builder, type Change, ifChanged, rawChange, type TokensTable } from './schema.ts';
import type { TokenReads } from './token-reads.ts';
import type { TokenPurge } from './token-store.ts';
import type { StatementResult } from './writer-thread.ts';

export type PurgeRooms = {
  readonly auditRow: AuditRows;
  readonly reads: Pick<TokenReads, 'rows'>;
  /** All of the batch in one transaction, or none, and no two of these batches at a time, whatever process they are from. */
  readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  /**
   * Types whose tokens are looked for under more than one digest. A row of one may hide another of the same token, brought
   * in under another digest, that would be found once it is gone: nobody can tell, so they stay.
   */
  readonly manifold: ReadonlySet<string>;
};

type Ends = Pick<TokensTable, 'id' | 'type' | 'digest' | 'revoked_at' | 'expires_at' | 'retire_at'>;

/** Tables whose rows are a token's own. Alerts stay, as the audit does: they tell of what was. */
const belongings = ['token_attributes', 'usage', 'token_uses', 'places', 'retirements'];

/** So many are looked at in some 2 ms. */
const PAGE = 2_000;

/** @returns how many went. */
export async function purgeTokens(rooms: PurgeRooms, purge: TokenPurge): Promise<number> {
  let purged = 0;
  let after = '';
  for (;;) {
    const page = await rooms.reads.rows<Ends>(selectEnds(after));
    const due = page.filter((row) => isOver(row, purge) && !mayHide(row, rooms)).map(({ id }) => id);
    for (const ids of chunksOf(due)) purged += await purgeChunk(rooms, ids, purge);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return purged;
    after = last.id;
  }
}

function isOver(row: Ends, { endedBeforeMs, but }: TokenPurge): boolean {
  const ends = [row.revoked_at, row.expires_at, row.retire_at];
  return !but.includes(row.type) && ends.some((end) => end !== null && end < endedBeforeMs);
}

/** `<id>|<random>` is found by its id, which is there once and leaves a mark. */
function mayHide({ type, digest }: Ends, { manifold }: PurgeRooms): boolean {
  return manifold.has(type) && digest?.startsWith('r:') !== true;
}

function selectEnds(after: string): Change {
  return builder
    .selectFrom('tokens')
    .select(['id', 'type', 'digest', 'revoked_at', 'expires_at', 'retire_at'])
    .where('id', '>', after)
    .orderBy('id')
    .limit(PAGE);
}

async function purgeChunk(
  { auditRow, write }: PurgeRooms,
  ids: readonly string[],
  purge: TokenPurge,
): Promise<number> {
  const { by: actor, endedBeforeMs } = purge;
  // SQLite and PostgreSQL both have json_each, and of an object both call its names `key`.
  const given = JSON.stringify(Object.fromEntries(ids.map((id) => [id, 0])));
  const detail = { ended_before: endedBeforeMs, purged: null };
  const row = auditRow({ actor, action: 'token.purge', subject: 'tokens', detail });
  const [, gone] = await write([
    markPurged(given, endedBeforeMs, row.id),
    deletePurged(given, endedBeforeMs),
    ...belongings.map((table) => ifChanged(deleteOf(table, given))),
    ifChanged(deletePins(given)),
    ifChanged(auditPurged(row, given)),
  ]);
  return gone?.changes ?? 0;
}

/** Asked in the transaction itself: one that was given more time since it was looked at stays. */
function isDue(given: string, endedBeforeMs: number): RawBuilder<boolean> {
  const end = time(endedBeforeMs);
  return sql<boolean>`(id in (select key from json_each(${given}))
    and (revoked_at < ${end} or expires_at < ${end} or retire_at < ${end}))`;
}

/** What must never be a token again. */
function markPurged(given: string, endedBeforeMs: number, purge: string): Change {
  const due = isDue(given, endedBeforeMs);
  return rawChange(sql`
    insert into purged_tokens (mark, purge)
    select mark, ${text(purge)} from (
      select 'id:' || id as mark from tokens where ${due}
      union select 'digest:' || digest from tokens where digest is not null and ${due}
      union select 'bcrypt:' || bcrypt from tokens where bcrypt is not null and ${due}
      union select 'external_id:' || type || ':' || external_id from tokens where external_id is not null and ${due}
    ) as marks where true on conflict do nothing`);
}

function deletePurged(given: string, endedBeforeMs: number): Change {
  return rawChange(sql`delete from tokens where ${isDue(given, endedBeforeMs)}`);
}

function deleteOf(table: string, given: string): Change {
  return rawChange(sql`
    delete from ${sql.table(table)} where token_id in (select key from json_each(${given}))
      and not exists (select 1 from tokens where tokens.id = token_id)`);
}

/** Pins that belong to a token, and to nothing that lasts longer. */
function deletePins(given: string): Change {
  return rawChange(sql`
    delete from pins where subject in (
      select 'token=' || key from json_each(${given}) where not exists (select 1 from tokens where tokens.id = key))`);
}

/** Their number stands in the detail for `"purged":null`. */
function auditPurged(row: AuditRow, given: string): Change {
  const purged = sql`(select count(*) from purged_tokens
    where purge = ${row.id} and mark in (select 'id:' || key from json_each(${given})))`;
  const detail = sql<string>`replace(${row.detail}, '"purged":null', '"purged":' || cast(${purged} as text))`;
  return builder.insertInto('audit').values({ ...row, detail });
}

/** Whether any of these marks is one of a token that was purged. */
function isMarked(token: {
  readonly digest: unknown;
  readonly bcrypt: unknown;
  readonly type: unknown;
  readonly externalId: unknown;
}): RawBuilder<boolean> {
  const { digest, bcrypt, type, externalId } = token;
  return sql<boolean>`exists (select 1 from purged_tokens where mark in (
    'digest:' || ${digest}, 'bcrypt:' || ${bcrypt}, 'external_id:' || ${type} || ':' || ${externalId}))`;
}

/** Right after they were added, in the same batch: those that were purged here go again. */
export function dropPurged(rows: readonly Pick<TokensTable, 'id'>[]): Change {
  const given = JSON.stringify(Object.fromEntries(rows.map(({ id }) => [id, 0])));
  const [digest, bcrypt, type, externalId] = ['digest', 'bcrypt', 'type', 'external_id'].map((column) =>
    sql.ref(`tokens.${column}`),
  );
  return rawChange(sql`
    delete from tokens where id in (select key from json_each(${given}))
      and ${isMarked({ digest, bcrypt, type, externalId })}`);
}

/** One row, `purged` 1 or 0: whether a token with this secret or external id was purged here. */
export function selectPurged(row: TokensTable): Change {
  const { digest, bcrypt, type, external_id: externalId } = row;
  const marked = isMarked({
    digest: text(digest),
    bcrypt: text(bcrypt),
    type: text(type),
    externalId: text(externalId),
  });
  return rawChange(sql`select case when ${marked} then 1 else 0 end as purged`);
}
