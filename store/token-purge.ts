/** Removes tokens that ended long ago, and sees to it that none of them comes back. Each chunk and its audit row in one transaction. */
import { type RawBuilder, sql } from 'kysely';
import type { AuditRow, AuditRows } from './audit-rows.ts';
import { text, time } from './casts.ts';
import { chunksOf } from './chunks.ts';
import { builder, type Change, ifChanged, rawChange, type TokensTable } from './schema.ts';
import type { TokenReads } from './token-reads.ts';
import type { TokenPurge, TokensPurged } from './token-store.ts';
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

/** What there may be a mark of. */
export type Marked = Pick<TokensTable, 'type'> &
  Partial<Pick<TokensTable, 'digest' | 'bcrypt' | 'external_id'>>;

type Ends = Pick<TokensTable, 'id' | 'type' | 'digest' | 'revoked_at' | 'expires_at' | 'retire_at'>;

/** Tables whose rows are a token's own. Alerts stay, as the audit does: they tell of what was. */
const belongings = ['token_attributes', 'usage', 'token_uses', 'places', 'retirements'];

/** So many are looked at in some 2 ms. */
const PAGE = 2_000;

export async function purgeTokens(rooms: PurgeRooms, purge: TokenPurge): Promise<TokensPurged> {
  let [purged, alike, peppered] = [0, 0, 0];
  let after = '';
  for (;;) {
    const page = await rooms.reads.rows<Ends>(selectEnds(after));
    for (const chunk of chunksOf(page.filter((row) => isOver(row, purge)))) {
      const done = await purgeChunk(rooms, chunk, purge);
      purged += done.purged;
      alike += done.leftOut.alike;
      peppered += done.leftOut.peppered;
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return { purged, leftOut: { alike, peppered } };
    after = last.id;
  }
}

function isOver(row: Ends, { endedBeforeMs, but }: TokenPurge): boolean {
  const ends = [row.revoked_at, row.expires_at, row.retire_at];
  return !but.includes(row.type) && ends.some((end) => end !== null && end < endedBeforeMs);
}

/** `<id>|<random>` is found by its id, which is there once and leaves a mark. */
export function mayHide(
  { type, digest }: Pick<TokensTable, 'type' | 'digest'>,
  manifold: PurgeRooms['manifold'],
): boolean {
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
  { auditRow, write, manifold }: PurgeRooms,
  chunk: readonly Ends[],
  { by: actor, endedBeforeMs }: TokenPurge,
): Promise<TokensPurged> {
  const ids = chunk.filter((row) => !mayHide(row, manifold)).map(({ id }) => id);
  const peppered = chunk.length - ids.length;
  if (ids.length === 0) return { purged: 0, leftOut: { alike: 0, peppered } };
  // SQLite and PostgreSQL both have json_each, and of an object both call its names `key`.
  const given = JSON.stringify(Object.fromEntries(ids.map((id) => [id, 0])));
  const detail = { ended_before: endedBeforeMs, purged: null, left_out: { alike: null, peppered } };
  const row = auditRow({ actor, action: 'token.purge', subject: 'tokens', detail });
  const results = await write([
    markPurged(given, endedBeforeMs, row.id),
    deletePurged(given, endedBeforeMs),
    ...belongings.map((table) => ifChanged(deleteOf(table, given))),
    ifChanged(deletePins(given)),
    ifChanged(auditPurged(row, given, endedBeforeMs)),
    selectLeft(given, endedBeforeMs),
  ]);
  const left = results.at(-1)?.rows[0] as { readonly alike: number } | undefined;
  return { purged: results[1]?.changes ?? 0, leftOut: { alike: Number(left?.alike ?? 0), peppered } };
}

/** Asked in the transaction itself: one that was given more time since it was looked at stays. */
function hasEnded(given: string, endedBeforeMs: number): RawBuilder<boolean> {
  const end = time(endedBeforeMs);
  return sql<boolean>`(id in (select key from json_each(${given}))
    and (revoked_at < ${end} or expires_at < ${end} or retire_at < ${end}))`;
}

/**
 * Another row may be the same token, and would stand for it once this one is gone: one that begins alike, or that does not say
 * how it begins. Of a token with a digest a mark is left that tells; of one without, nobody knows. What was revoked never lives again.
 */
const isAlike = sql<boolean>`(tokens.digest is null and (
  exists (select 1 from tokens as other
    where other.lookup = tokens.lookup and other.type = tokens.type and other.id <> tokens.id and other.revoked_at is null)
  or exists (select 1 from tokens as other
    where other.lookup is null and other.type = tokens.type and other.canary = 0)))`;

function isDue(given: string, endedBeforeMs: number): RawBuilder<boolean> {
  return sql<boolean>`(${hasEnded(given, endedBeforeMs)} and not ${isAlike})`;
}

/** What must never be a token again. */
function markPurged(given: string, endedBeforeMs: number, purge: string): Change {
  return rawChange(sql`
    insert into purged_tokens (mark, purge)
    select mark, ${text(purge)} from (
      with due as (select id, digest, bcrypt, type, external_id from tokens where ${isDue(given, endedBeforeMs)})
      select 'id:' || id as mark from due
      union select 'digest:' || digest from due where digest is not null
      union select 'bcrypt:' || bcrypt from due where bcrypt is not null
      union select 'external_id:' || type || ':' || external_id from due where external_id is not null
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

/** Their number stands in the detail for `"purged":null`, and of those that stay for `"alike":null`. */
function auditPurged(row: AuditRow, given: string, endedBeforeMs: number): Change {
  const purged = sql`(select count(*) from purged_tokens
    where purge = ${row.id} and mark in (select 'id:' || key from json_each(${given})))`;
  const alike = sql`(select count(*) from tokens where ${hasEnded(given, endedBeforeMs)})`;
  const detail = sql<string>`replace(replace(${row.detail}, '"purged":null', '"purged":' || cast(${purged} as text)),
    '"alike":null', '"alike":' || cast(${alike} as text))`;
  return builder.insertInto('audit').values({ ...row, detail });
}

/** Those that ended and are there all the same, after the others went. */
function selectLeft(given: string, endedBeforeMs: number): Change {
  return rawChange(sql`select count(*) as alike from tokens where ${hasEnded(given, endedBeforeMs)}`);
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

/** Whether a token with this secret or external id was purged here. @throws StoreFault */
export function createMarkCheck(reads: PurgeRooms['reads']) {
  return async ({ type, digest = null, bcrypt = null, external_id = null }: Marked): Promise<boolean> => {
    const marked = isMarked({
      digest: text(digest),
      bcrypt: text(bcrypt),
      type: text(type),
      externalId: text(external_id),
    });
    const query = rawChange(sql`select case when ${marked} then 1 else 0 end as purged`);
    const [row] = await reads.rows<{ readonly purged: number }>(query);
    return row?.purged === 1;
  };
}
