/** What is asked of sightings and counts and added to them, as query trees in words that every database here knows; it never runs one. */
import { type RawBuilder, sql } from 'kysely';
import { text, time } from './casts.ts';
import { builder, type Change, type PlacesTable, rawChange } from './schema.ts';
import type { BusyFrom, Counted, Newcomer, Sighting, Tally } from './sighting-store.ts';
import { startOf } from './usage-writes.ts';

export type PlaceRow = Readonly<PlacesTable>;

/**
 * Known places are only noted as seen again; new ones are to be judged. Where there are `max` of a kind, none is added.
 * Each may stand there once: a statement changes no row twice.
 */
export function addPlaces(sightings: readonly Sighting[], max: number): Change {
  // Both databases call the columns so. The first row tells their types.
  const rows = sightings.map(({ tokenId, kind, value, at }, index) =>
    index === 0
      ? sql`(${text(tokenId)}, ${text(kind)}, ${text(value)}, ${time(at)})`
      : sql`(${tokenId}, ${kind}, ${value}, ${at})`,
  );
  return rawChange(sql`
    insert into places (token_id, kind, value, first_seen, last_seen, due_at)
    select column1, column2, column3, column4, column4, column4 from (values ${sql.join(rows)}) as seen
    where (select count(*) from places where token_id = column1 and kind = column2) < ${time(max)}
      or exists (select 1 from places where token_id = column1 and kind = column2 and value = column3)
    on conflict (token_id, kind, value) do update set last_seen = excluded.last_seen
      where excluded.last_seen > places.last_seen`);
}

/** Tallies of the same kind, subject and bucket must have been put together: a statement changes no row twice. */
export function addTallies(tallies: readonly Tally[], seconds: number): Change {
  return builder
    .insertInto('tallies')
    .values(
      tallies.map(({ kind, subject, minuteMs, count }) => ({
        kind,
        subject,
        seconds,
        start: startOf(minuteMs, seconds),
        count,
      })),
    )
    .onConflict((conflict) =>
      conflict
        .columns(['kind', 'subject', 'seconds', 'start'])
        .doUpdateSet((row) => ({ count: row('tallies.count', '+', row.ref('excluded.count')) })),
    );
}

export function selectDuePlaces(atMs: number, limit: number): Change {
  return builder
    .selectFrom('places')
    .selectAll()
    .where('due_at', '<=', atMs)
    .orderBy('due_at')
    .orderBy('token_id')
    .orderBy('kind')
    .orderBy('value')
    .limit(limit);
}

/** One row: `since`, `known`. */
export function selectKnown({ tokenId, kind }: Pick<Newcomer, 'tokenId' | 'kind'>): Change {
  return rawChange(sql`
    select min(first_seen) as since, count(*) as known from places where token_id = ${tokenId} and kind = ${kind}`);
}

/** @param dueAt Unix ms; null: they have been judged. */
export function markPlaces({ tokenId, kind, places }: Newcomer, dueAt: number | null): Change {
  return builder
    .updateTable('places')
    .set({ due_at: dueAt })
    .where('token_id', '=', tokenId)
    .where('kind', '=', kind)
    .where(
      'value',
      'in',
      places.map(({ value }) => value),
    )
    .where('due_at', 'is not', null);
}

const busiestMax = 5000;

export function selectBusyTokens(sinceMs: number, { passed, refusedOfToken }: BusyFrom): Change {
  return rawChange(sql`
    select token_id as subject, start, cast(sum(passed + failed) as bigint) as passed,
      cast(sum(refused) as bigint) as refused
    from usage where seconds = 60 and start >= ${startOf(sinceMs, 60)} and token_id <> ''
    group by token_id, start
    having sum(passed + failed) >= ${asCount(passed)} or sum(refused) >= ${asCount(refusedOfToken)}
    order by sum(passed + failed + refused) desc limit ${sql.lit(busiestMax)}`);
}

export function selectBusyTallies(sinceMs: number, { passed, refusedOfNetwork }: BusyFrom): Change {
  return rawChange(sql`
    select kind, subject, start, count from tallies
    where seconds = 60 and start >= ${startOf(sinceMs, 60)} and subject <> ''
      and ((kind = 'bundle' and count >= ${asCount(passed)}) or (kind = 'network' and count >= ${asCount(refusedOfNetwork)}))
    order by count desc limit ${sql.lit(busiestMax)}`);
}

/** No database here has a whole number that is infinite. */
function asCount(from: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(from));
}

type Span = { readonly fromMs: number; readonly untilMs: number };

/** One row a used hour that is over by then: `count`. */
export function selectHours(counted: Counted, { fromMs, untilMs }: Span): Change {
  const [from, until] = [startOf(fromMs, 3600), startOf(untilMs, 3600)];
  const { table, where, count } = sourceOf(counted);
  return rawChange(sql`
    select cast(sum(${count}) as bigint) as count from ${table}
    where ${where} and seconds = 3600 and start >= ${from} and start < ${until} group by start having sum(${count}) > 0`);
}

/** One row: `count` of the busiest minute that is over by then; null: there was none. */
export function selectPeak(counted: Counted, { fromMs, untilMs }: Span): Change {
  const [from, until] = [startOf(fromMs, 60), startOf(untilMs, 60)];
  const { table, where, count } = sourceOf(counted);
  return rawChange(sql`
    select max(minute.count) as count from (
      select cast(sum(${count}) as bigint) as count from ${table}
      where ${where} and seconds = 60 and start >= ${from} and start < ${until} group by start
    ) as minute`);
}

/** One row: `start` of the first hour, in Unix seconds; null: there was none. */
export function selectSince(counted: Counted): Change {
  const { table, where } = sourceOf(counted);
  return rawChange(sql`select min(start) as start from ${table} where ${where} and seconds = 3600`);
}

function sourceOf({
  by,
  subject,
}: Counted): Readonly<Record<'table' | 'where' | 'count', RawBuilder<unknown>>> {
  if (by === 'token') {
    return { table: sql`usage`, where: sql`token_id = ${subject}`, count: sql`passed + failed` };
  }
  return { table: sql`tallies`, where: sql`kind = ${by} and subject = ${subject}`, count: sql`count` };
}

export function forgetPlaces(beforeMs: number): Change {
  return builder.deleteFrom('places').where('last_seen', '<', beforeMs);
}

/** Buckets of that length that began before. @param kind null: of every kind. */
export function forgetTallies(seconds: number, beforeMs: number, kind: string | null): Change {
  const old = builder
    .deleteFrom('tallies')
    .where('seconds', '=', seconds)
    .where('start', '<', startOf(beforeMs, seconds));
  return kind === null ? old : old.where('kind', '=', kind);
}
