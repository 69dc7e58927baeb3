/** What is added to the usage tables and asked of them, as query trees; it never runs one. */
import { sql } from 'kysely';
import { builder, type Change, rawChange } from './schema.ts';
import type { LastUse, UsageCount, UsageFilter } from './usage-store.ts';

export const bucketSeconds = { minute: 60, hour: 3600 } as const;

/** Unix seconds. */
export function startOf(ms: number, seconds: number): number {
  return Math.floor(ms / 1000 / seconds) * seconds;
}

/** Counts of the same token, row and bucket must have been put together: a statement changes no row twice. */
export function addCounts(counts: readonly UsageCount[], seconds: number): Change {
  return builder
    .insertInto('usage')
    .values(
      counts.map(({ tokenId, minuteMs, route, passed, refused, failed }) => ({
        token_id: tokenId,
        seconds,
        start: startOf(minuteMs, seconds),
        route,
        passed,
        refused,
        failed,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['token_id', 'seconds', 'start', 'route']).doUpdateSet((eb) => ({
        passed: eb('usage.passed', '+', eb.ref('excluded.passed')),
        refused: eb('usage.refused', '+', eb.ref('excluded.refused')),
        failed: eb('usage.failed', '+', eb.ref('excluded.failed')),
      })),
    );
}

/** Forward only. */
export function markLastUses(uses: readonly LastUse[]): Change {
  return builder
    .insertInto('token_uses')
    .values(uses.map(({ tokenId, at, address, route }) => ({ token_id: tokenId, at, address, route })))
    .onConflict((conflict) =>
      conflict
        .column('token_id')
        .doUpdateSet((eb) => ({
          at: eb.ref('excluded.at'),
          address: eb.ref('excluded.address'),
          route: eb.ref('excluded.route'),
        }))
        .whereRef('excluded.at', '>', 'token_uses.at'),
    );
}

/** Those of the busiest first; by time the newest first. */
export function selectSums({ tokenId, sinceMs, bucket, by, limit }: UsageFilter): Change {
  const seconds = bucketSeconds[bucket];
  const key = sql.raw({ time: 'start', route: 'route', token: 'token_id' }[by]);
  const own = tokenId === null ? sql`` : sql`and token_id = ${tokenId}`;
  const order = by === 'time' ? sql`start desc` : sql`sum(passed + refused + failed) desc, ${key}`;
  return rawChange(sql`
    select ${key} as "key", cast(sum(passed) as bigint) as passed,
      cast(sum(refused) as bigint) as refused, cast(sum(failed) as bigint) as failed
    from usage where seconds = ${seconds} and start >= ${startOf(sinceMs, seconds)} ${own}
    group by ${key} order by ${order} limit ${limit}`);
}

export function selectLastUses(tokenIds: readonly string[]): Change {
  return builder
    .selectFrom('token_uses')
    .selectAll()
    .where('token_id', 'in', [...tokenIds]);
}

/** Buckets of that length that began before. */
export function forgetBuckets(seconds: number, beforeMs: number): Change {
  return builder
    .deleteFrom('usage')
    .where('seconds', '=', seconds)
    .where('start', '<', startOf(beforeMs, seconds));
}
