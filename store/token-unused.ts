/** Which tokens were used, or came to this store, since a time: as conditions on the tokens table. */
import { type RawBuilder, sql } from 'kysely';
import { firstTokenIdAt } from './id.ts';

/** Not since then, to the ms. Its id says when it came. @param ms Unix ms. */
export function notUsedSince(ms: number): RawBuilder<boolean> {
  const since = Math.max(0, ms);
  return sql<boolean>`(id < ${firstTokenIdAt(since + 1)} and created_at <= ${since}
    and coalesce(last_used_at, 0) <= ${since})`;
}
