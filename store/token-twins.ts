/**
 * One token in several rows: brought in under two salts, or once as bcrypt and once as SHA-256. Only a comparison tells that
 * they are one, so it is told when the token comes, and whatever ends one of them ends the token.
 */
import { allOf, andThen, type Eventually } from './eventually.ts';
import type { TokenReads } from './token-reads.ts';
import type { RecordRow } from './token-rows.ts';

/**
 * Of rows that one token fits, the one that answers for all: a canary, or else what is revoked, what is disabled, what ends
 * first; of equals the first. undefined: one of them is gone, and nobody can tell any more what it said.
 */
export function sternestOf(
  reads: Pick<TokenReads, 'byId'>,
  ids: readonly string[],
): Eventually<RecordRow | undefined> {
  return andThen(allOf(ids.map((id) => reads.byId(id))), (rows) => {
    const there = rows.filter((row) => row !== undefined);
    return there.length < ids.length ? undefined : sternest(there);
  });
}

function sternest([first, ...others]: readonly RecordRow[]): RecordRow | undefined {
  let chosen = first;
  for (const row of others) if (chosen === undefined || isSterner(row, chosen)) chosen = row;
  return chosen;
}

function isSterner(row: RecordRow, than: RecordRow): boolean {
  if (row.canary !== than.canary) return row.canary > than.canary;
  if (isSet(row.revoked_at) !== isSet(than.revoked_at)) return isSet(row.revoked_at);
  if (isSet(row.disabled_at) !== isSet(than.disabled_at)) return isSet(row.disabled_at);
  return endOf(row) < endOf(than);
}

function isSet(time: number | null): boolean {
  return time !== null;
}

/** Unix ms. */
function endOf({ expires_at: expires, retire_at: retires }: RecordRow): number {
  return Math.min(expires ?? Number.POSITIVE_INFINITY, retires ?? Number.POSITIVE_INFINITY);
}
