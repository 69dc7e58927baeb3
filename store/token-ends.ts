/** Ends many tokens at once, as query trees in words that every database here knows; it never runs one. */
import { type RawBuilder, sql } from 'kysely';
import type { AuditRow } from './audit-rows.ts';
import { text, time } from './casts.ts';
import { type Change, rawChange } from './schema.ts';
import { hasAttributes, isOfType } from './token-attributes.ts';
import type { LifeStamp } from './token-life.ts';
import type { Ending } from './token-store.ts';

/** Which tokens end, why, and who and when. */
export type End = Pick<Ending, 'type' | 'attributes' | 'reason'> & LifeStamp;

/** Revokes all that are not revoked yet, but no canary. @param successor the token that stands in their place; null: none does. */
export function revokeAll({ type, attributes, reason, by, atMs }: End, successor: string | null): Change {
  const instead = successor === null ? sql`` : sql`rotated_to = ${successor},`;
  const others = successor === null ? sql<boolean>`true` : sql<boolean>`id <> ${successor}`;
  return rawChange(sql`
    update tokens set ${instead} revoked_at = ${time(atMs)}, revoked_by = ${by}, revoked_reason = ${reason},
      version = version + 1
    where ${isOfType(type.name, attributes)} and revoked_at is null and canary = 0 and ${others} and ${hasAttributes(attributes)}`);
}

/**
 * One row for each that `revokeAll` just before it has ended. One that another batch has ended at the same moment has its
 * row already: no token is revoked twice.
 */
export function auditEnded(row: AuditRow, end: End): Change {
  return rawChange(sql`
    insert into audit (id, at, actor, action, subject, detail)
    select ${text(row.id)} || '-' || id, ${time(row.at)}, ${text(row.actor)}, ${text(row.action)}, id, ${text(row.detail)}
    from tokens where ${wasEnded(end)}
      and not exists (select 1 from audit as told where told.subject = tokens.id and told.action = ${row.action})`);
}

function wasEnded({ type, attributes, reason, by, atMs }: End): RawBuilder<boolean> {
  return sql<boolean>`(${isOfType(type.name, attributes)} and revoked_at = ${atMs} and revoked_by = ${by}
    and revoked_reason = ${reason} and ${hasAttributes(attributes)})`;
}
