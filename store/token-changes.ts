/** Rotates, regenerates, updates, disables and enables tokens: each change and its audit row in one transaction. */
import type { AttributeValue, TokenRecord, TokenType } from '../policy/token-types.ts';
import type { AuditRow, AuditRows } from './audit-rows.ts';
import type { AuditAction } from './audit-store.ts';
import { insertAudit } from './audit-writes.ts';
import type { MadeToken } from './new-token.ts';
import { askRetirement } from './retirements.ts';
import { type Change, ifChanged } from './schema.ts';
import { clearAttributes, copyAttributes, fillAttributes } from './token-attributes.ts';
import {
  auditDisabled,
  auditRegenerated,
  auditRotated,
  endReplaced,
  insertRegenerated,
  insertSuccessor,
  markDisabled,
  retire,
  selectReplaced,
  updateToken,
} from './token-life.ts';
import { type RecordRow, recordOf } from './token-rows.ts';
import type {
  ChangedSince,
  NewToken,
  Regenerated,
  Regeneration,
  Rotation,
  TokenChange,
  TokenStore,
} from './token-store.ts';
import { selectRecord } from './token-writes.ts';
import type { StatementResult } from './writer-thread.ts';

export type TokenChanges = Pick<TokenStore, 'rotate' | 'regenerate' | 'update' | 'disable' | 'enable'>;

export type ChangeRooms = {
  /** Unix ms. */
  readonly now: () => number;
  readonly auditRow: AuditRows;
  /** All of the batch in one transaction, or none, and no two of these batches at a time, whatever process they are from. */
  readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  /** Mints and digests; writes nothing. */
  readonly make: (token: NewToken) => Promise<MadeToken>;
};

export function createTokenChanges(rooms: ChangeRooms): TokenChanges {
  const disable = (id: string, by: string, atMs: number | null) =>
    changed(rooms, id, [
      auditDisabled(auditOf(rooms, by, atMs === null ? 'token.enable' : 'token.disable', id), id, atMs),
      markDisabled(id, atMs),
    ]);
  return {
    rotate: (id, type, overlapMs, by, whenQuiet = false) =>
      rotate(rooms, { id, type, overlapMs, whenQuiet }, by),
    regenerate: (regeneration) => regenerate(rooms, regeneration),
    update: (id, change, by) => update(rooms, id, change, by),
    disable: (id, by) => disable(id, by, rooms.now()),
    enable: (id, by) => disable(id, by, null),
  };
}

type Rotating = {
  readonly id: string;
  readonly type: TokenType;
  readonly overlapMs: number;
  readonly whenQuiet: boolean;
};

async function rotate(
  rooms: ChangeRooms,
  { id, type, overlapMs, whenQuiet }: Rotating,
  by: string,
): Promise<Rotation | null> {
  const { row, plaintext } = await rooms.make(emptyToken(type, by));
  const stamp = { by, atMs: rooms.now() };
  const early = whenQuiet ? { retire: 'when_quiet' } : {};
  const detail = { successor: row.id, overlap_ms: overlapMs, ...early };
  const audit = auditOf(rooms, by, 'token.rotate', id, detail);
  const results = await rooms.write([
    retire(id, row, type, overlapMs, stamp),
    insertSuccessor(row, id),
    copyAttributes(id, row.id),
    auditRotated(audit, row.id),
    ...(whenQuiet ? [askRetirement(id, row.id, by, stamp.atMs)] : []),
    selectRecord(row.id),
    selectRecord(id),
  ]);
  const [successor, before] = results.slice(-2).map(({ rows }) => rows[0] as RecordRow | undefined);
  if (before === undefined || before.type !== type.name) return null;
  if (successor === undefined) return { kind: 'refused', record: recordOf(before) };
  const isAsked = whenQuiet && before.retire_at !== null;
  const retirement = isAsked ? { tokenId: id, successor: row.id, askedAt: stamp.atMs, askedBy: by } : null;
  const created = { record: recordOf(successor), plaintext };
  return { kind: 'rotated', created, before: recordOf(before), retirement };
}

async function regenerate(rooms: ChangeRooms, regeneration: Regeneration): Promise<Regenerated> {
  const { type, attributes, scopes, label, graceMs, by } = regeneration;
  const { row, plaintext } = await rooms.make({
    ...emptyToken(type, by),
    attributes,
    label,
    scopes: scopes ?? [],
  });
  const stamp = { by, atMs: rooms.now() };
  const audit = auditOf(rooms, by, 'token.regenerate', row.id, { successor: row.id, grace_ms: graceMs });
  const results = await rooms.write([
    insertRegenerated(row, regeneration, stamp.atMs),
    ...fillAttributes([row]),
    ...endReplaced(regeneration, row.id, stamp),
    auditRegenerated(audit, row.id),
    selectReplaced(row.id),
    selectRecord(row.id),
  ]);
  const [replaced, made] = results.slice(-2);
  const record = recordOf(made?.rows[0] as RecordRow);
  return { created: { record, plaintext }, replaced: replaced?.rows.map(({ id }) => String(id)) ?? [] };
}

/** First what is changed: where that is nothing, neither the audit nor the attributes say otherwise. */
async function update(
  rooms: ChangeRooms,
  id: string,
  { label, origins, expiresAt, attributes, told, scopes, ifVersions }: TokenChange,
  by: string,
): Promise<TokenRecord | ChangedSince | null> {
  const said = attributes === undefined ? undefined : Object.fromEntries(attributes);
  const shown = told ?? (said === undefined ? {} : { attributes: Object.keys(said) });
  const detail = { label, origins, expires_at: expiresAt, ...shown, scopes };
  const set = {
    ...(label === undefined ? {} : { label }),
    ...(origins === undefined ? {} : { origins: JSON.stringify(origins) }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    ...(said === undefined ? {} : { attributes: JSON.stringify(said) }),
    ...(scopes === undefined ? {} : { scopes: JSON.stringify(scopes) }),
  };
  const results = await rooms.write([
    updateToken(id, set, ifVersions),
    ifChanged(insertAudit(auditOf(rooms, by, 'token.update', id, detail))),
    ...(attributes === undefined ? [] : replaceAttributes(id, attributes)),
    selectRecord(id),
  ]);
  const row = results.at(-1)?.rows[0] as RecordRow | undefined;
  if (row === undefined) return null;
  const isLeft = results[0]?.changes === 0 && row.revoked_at === null;
  return isLeft ? 'changed_since' : recordOf(row);
}

/** Left out where the token was not changed. */
function replaceAttributes(id: string, attributes: ReadonlyMap<string, AttributeValue>): readonly Change[] {
  const row = { id, attributes: JSON.stringify(Object.fromEntries(attributes)) };
  return [clearAttributes(id), ...fillAttributes([row])].map(ifChanged);
}

/** The record after the statements; null: no such id. */
async function changed(
  { write }: ChangeRooms,
  id: string,
  statements: readonly Change[],
): Promise<TokenRecord | null> {
  const results = await write([...statements, selectRecord(id)]);
  const row = results.at(-1)?.rows[0] as RecordRow | undefined;
  return row === undefined ? null : recordOf(row);
}

function auditOf(
  { auditRow }: ChangeRooms,
  actor: string,
  action: AuditAction,
  subject: string,
  detail: Readonly<Record<string, unknown>> = {},
): AuditRow {
  return auditRow({ actor, action, subject, detail });
}

/** What the store fills in from the token before. */
function emptyToken(type: TokenType, createdBy: string): NewToken {
  return {
    type,
    label: '',
    scopes: [],
    attributes: new Map(),
    origins: [],
    expiresAt: null,
    createdBy,
  };
}
