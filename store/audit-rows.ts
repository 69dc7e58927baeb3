/** Turns events into audit rows, and rows into pages of entries; it never reads or writes one. */
import type { AuditAction, AuditEntry, AuditEvent, AuditPage } from './audit-store.ts';
import { createIds } from './id.ts';
import type { AuditTable } from './schema.ts';

/** Greater than every id of a row, however a database sorts: ULIDs begin with 0 to 7. */
export const afterAll = 'aud_8';

/** All of a row but its place in the chain. */
export type AuditRow = Readonly<Omit<AuditTable, 'seq' | 'mac'>>;

/** Gives an event its id and time. */
export type AuditRows = (event: AuditEvent) => AuditRow;

/** A maker of rows, in order of their ids. @param now Unix ms. */
export function createAuditRows(now: () => number): AuditRows {
  const nextId = createIds('aud_', now);
  return ({ actor, action, subject, detail }) => {
    return { id: nextId(), at: now(), actor, action, subject, detail: JSON.stringify(detail) };
  };
}

/** @param rows one more than `limit`, where there are more. */
export function auditPageOf(rows: readonly AuditRow[], limit: number): AuditPage {
  const entries = rows.slice(0, limit).map(entryOf);
  return { entries, next: rows.length > limit ? (entries.at(-1)?.id ?? null) : null };
}

function entryOf({ id, at, actor, action, subject, detail }: AuditRow): AuditEntry {
  return { id, at, actor, action: action as AuditAction, subject, detail: JSON.parse(detail) };
}

/** Says over how many rows that were there the chain begins. */
export function beginRow(rows: number, now: () => number): AuditRow {
  return createAuditRows(now)({
    actor: 'postern',
    action: 'audit.begin',
    subject: 'audit',
    detail: { rows },
  });
}
