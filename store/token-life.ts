/** What happens to a token between its making and its end, as query trees in words that every database here knows; it never runs one. */
import { type RawBuilder, sql } from 'kysely';
import type { TokenType } from '../policy/token-types.ts';
import type { AuditRow } from './audit-rows.ts';
import { text, time } from './casts.ts';
import { builder, type Change, rawChange, type TokensTable } from './schema.ts';
import { hasAttributes, isOfType } from './token-attributes.ts';
import type { Regeneration } from './token-store.ts';
import { notUsedSince } from './token-unused.ts';

/** Who ends what, and when in Unix ms. */
export type LifeStamp = { readonly by: string; readonly atMs: number };

function insertAuditIf(row: AuditRow, condition: RawBuilder<boolean>): Change {
  return rawChange(sql`
    insert into audit (id, at, actor, action, subject, detail)
    select ${text(row.id)}, ${time(row.at)}, ${text(row.actor)}, ${text(row.action)}, ${text(row.subject)},
      ${text(row.detail)}
    where ${condition}`);
}

/** Alive at `atMs`: as the decision sees it, but for a life that has not begun. A canary never is. */
function lives(atMs: number, { unused }: TokenType): RawBuilder<boolean> {
  const isUsed =
    unused === undefined ? sql`` : sql` and not ${notUsedSince(atMs - unused.forMs - unused.leewayMs)}`;
  return sql<boolean>`(revoked_at is null and canary = 0 and disabled_at is null
    and (expires_at is null or expires_at > ${atMs}) and (retire_at is null or retire_at > ${atMs})${isUsed})`;
}

const columns = sql.raw(
  'id, type, label, preview, digest, bcrypt, lookup, external_id, scopes, attributes, origins, created_at, created_by, expires_at, version',
);

/**
 * Names the successor of a token that lives and has none yet. First in its batch: it waits for a revoke that is under
 * way and then sees it, so that no successor comes of a token whose revoke was acknowledged.
 */
export function retire(
  id: string,
  successor: TokensTable,
  type: TokenType,
  overlapMs: number,
  stamp: LifeStamp,
): Change {
  return rawChange(sql`
    update tokens set rotated_to = ${successor.id}, version = version + 1, ${ending(overlapMs, stamp, 'rotated')}
    where id = ${id} and type = ${successor.type} and rotated_to is null and ${lives(stamp.atMs, type)}`);
}

/** Right after `retire`: where that changed nothing, this adds nothing. */
export function insertSuccessor(successor: TokensTable, id: string): Change {
  const { preview, digest, bcrypt, lookup, external_id: externalId } = successor;
  return rawChange(sql`
    insert into tokens (${columns})
    select ${text(successor.id)}, type, label, ${text(preview)}, ${text(digest)}, ${text(bcrypt)}, ${text(lookup)},
      ${text(externalId)}, scopes, attributes, origins, ${time(successor.created_at)},
      ${text(successor.created_by)}, expires_at, 1
    from tokens where id = ${id} and rotated_to = ${successor.id}`);
}

/** At once is a revoke: no clock that goes back brings it to life again. */
function ending(inMs: number, { by, atMs }: LifeStamp, reason: string): RawBuilder<unknown> {
  const end = atMs + inMs;
  if (inMs === 0) return sql`revoked_at = ${time(atMs)}, revoked_by = ${by}, revoked_reason = ${reason}`;
  return sql`retire_at = case when retire_at < ${end} then retire_at else ${time(end)} end`;
}

function exists(id: string): RawBuilder<boolean> {
  return sql<boolean>`exists (select 1 from tokens where id = ${id})`;
}

/** What the newest of those that live had, and what is given where none does. */
export function insertRegenerated(row: TokensTable, regeneration: Regeneration, atMs: number): Change {
  const { type, attributes, scopes } = regeneration;
  const kept = scopes === null ? sql`coalesce(n.scopes, ${row.scopes})` : text(row.scopes);
  return rawChange(sql`
    insert into tokens (${columns})
    select ${text(row.id)}, ${text(row.type)}, coalesce(n.label, ${row.label}), ${text(row.preview)},
      ${text(row.digest)}, ${text(row.bcrypt)}, ${text(row.lookup)}, ${text(row.external_id)}, ${kept},
      ${text(row.attributes)}, coalesce(n.origins, ${row.origins}), ${time(row.created_at)},
      ${text(row.created_by)}, n.expires_at, 1
    from (select 1) as one left join (
      select label, scopes, origins, expires_at from tokens
      where ${isOfType(type.name, attributes)} and ${lives(atMs, type)} and ${hasAttributes(attributes)}
      order by created_at desc, id desc limit 1) as n on true`);
}

/** Ends all but the new one: those that live after the grace, the others now. */
export function endReplaced(
  { type, attributes, graceMs }: Regeneration,
  successor: string,
  stamp: LifeStamp,
): readonly Change[] {
  const { atMs } = stamp;
  const end = (inMs: number, which: RawBuilder<boolean>) =>
    rawChange(sql`
      update tokens set rotated_to = ${successor}, version = version + 1, ${ending(inMs, stamp, 'regenerated')}
      where ${isOfType(type.name, attributes)} and id <> ${successor} and revoked_at is null and canary = 0
        and ${hasAttributes(attributes)} and ${which}`);
  if (graceMs === 0) return [end(0, sql<boolean>`true`)];
  const living = lives(atMs, type);
  return [end(graceMs, living), end(0, sql<boolean>`not ${living}`)];
}

/** One row for the new token, and one for each that it replaces. */
export function auditRegenerated(row: AuditRow, successor: string): Change {
  return rawChange(sql`
    insert into audit (id, at, actor, action, subject, detail)
    select ${text(row.id)} || '-' || id, ${time(row.at)}, ${text(row.actor)}, ${text(row.action)}, id, ${text(row.detail)}
    from (select id from tokens where id = ${successor} union all select id from tokens where rotated_to = ${successor}) as told`);
}

export function selectReplaced(successor: string): Change {
  return builder.selectFrom('tokens').select('id').where('rotated_to', '=', successor).orderBy('id');
}

/** Added only if the successor was. */
export function auditRotated(row: AuditRow, successor: string): Change {
  return insertAuditIf(row, exists(successor));
}

/** Changes nothing of a revoked token, or of one that has another version. @param versions undefined: whatever it has. */
export function updateToken(
  id: string,
  set: Partial<TokensTable>,
  versions: readonly number[] | undefined,
): Change {
  const change = builder
    .updateTable('tokens')
    .set((row) => ({ ...set, version: row('version', '+', 1) }))
    .where('id', '=', id)
    .where('revoked_at', 'is', null);
  return versions === undefined ? change : change.where(isOneOf(versions));
}

/** None of none. */
function isOneOf(versions: readonly number[]): RawBuilder<boolean> {
  return sql<boolean>`version in (${sql.join([-1, ...versions])})`;
}

/** null: it may be used again. Changes nothing of a token that is so already, or revoked. */
export function markDisabled(id: string, atMs: number | null): Change {
  return rawChange(sql`
    update tokens set disabled_at = ${time(atMs)}, version = version + 1
    where id = ${id} and revoked_at is null and ${disabledOr(atMs)}`);
}

/** Stands before `markDisabled` in the batch. */
export function auditDisabled(row: AuditRow, id: string, atMs: number | null): Change {
  return insertAuditIf(row, changeable(id, disabledOr(atMs)));
}

function disabledOr(atMs: number | null): RawBuilder<boolean> {
  return atMs === null ? sql<boolean>`disabled_at is not null` : sql<boolean>`disabled_at is null`;
}

function changeable(id: string, also: RawBuilder<boolean>): RawBuilder<boolean> {
  return sql<boolean>`exists (select 1 from tokens where id = ${id} and revoked_at is null and ${also})`;
}
