/** Which tokens end soon, and which have a successor: as conditions on the tokens table. */
import { type RawBuilder, sql } from 'kysely';
import type { ListFilter } from './token-store.ts';

/** Whichever comes first: its expiry, or the end of its overlap. */
export function endsWithin({ after, until }: NonNullable<ListFilter['ends']>): RawBuilder<boolean> {
  // Each by itself, and neither before: what has expired does not end again by its overlap.
  return sql<boolean>`(revoked_at is null
    and (expires_at is null or expires_at > ${after}) and (retire_at is null or retire_at > ${after})
    and (expires_at <= ${until} or retire_at <= ${until}))`;
}

export const isRotated: RawBuilder<boolean> = sql<boolean>`rotated_to is not null`;
