/** Walks and shortens the audit's chain, in whatever database holds it; it never seals a row. */
import type { KeyObject } from 'node:crypto';
import { type Break, follow, type Link, linkIn, type SealedRow, START } from './audit-chain.ts';
import type { AuditRows } from './audit-rows.ts';
import type { AuditFlaw, AuditHead, AuditPurge, AuditStore, AuditVerdict } from './audit-store.ts';
import {
  countUnsealed,
  deleteThrough,
  deleteUnsealed,
  insertAudit,
  selectHead,
  selectLastPurge,
  selectSealed,
  selectUnsealed,
} from './audit-writes.ts';
import { type Change, ifChanged } from './schema.ts';
import type { TokenReads } from './token-reads.ts';
import type { StatementResult } from './writer-thread.ts';

export type TrailRooms = {
  readonly auditRow: AuditRows;
  readonly reads: Pick<TokenReads, 'rows'>;
  /** All of the batch in one transaction, or none; durable when it resolves. */
  readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  /** What seals rows, the newest first; empty: nothing does. @throws DatabaseRefused where they cannot be read. */
  readonly keys: () => readonly KeyObject[];
};

/** So many rows are judged in about 2 ms; then others have their turn. */
const PAGE = 400;
const PURGE_CHUNK = 2_000;
/** A purge may take rows away from under a walk. */
const TRIES = 3;

export function createAuditTrail(rooms: TrailRooms): Pick<AuditStore, 'head' | 'verify' | 'purge'> {
  return {
    head: () => headOf(rooms),
    verify: (head) => verify(rooms, head),
    purge: (purge) => purgeRows(rooms, purge),
  };
}

async function headOf({ reads }: TrailRooms): Promise<AuditHead | null> {
  const [row] = await reads.rows<SealedRow>(selectHead());
  return row === undefined || row.seq === null ? null : { seq: row.seq, mac: row.mac ?? '' };
}

async function verify(rooms: TrailRooms, head: AuditHead | null): Promise<AuditVerdict> {
  const keys = rooms.keys();
  const unsealed = await unsealedOf(rooms);
  if (keys.length === 0) return nothing(unsealed.count, 'no_key');
  for (let tries = 1; ; tries++) {
    const from = await checkpointOf(rooms);
    const walked = await walk(rooms, keys, from, head);
    const wasPurged = (await checkpointOf(rooms)).seq !== from.seq;
    if (walked.flaw !== null && wasPurged && tries < TRIES) continue;
    if (walked.head === null && walked.flaw === null && unsealed.count > 0)
      return nothing(unsealed.count, 'not_begun');
    const stray: AuditFlaw | null =
      unsealed.count === 0 ? null : { code: 'added', seq: null, id: unsealed.id };
    return { ...walked, unsealed: unsealed.count, flaw: walked.flaw ?? stray };
  }
}

function nothing(unsealed: number, code: AuditFlaw['code']): AuditVerdict {
  return { rows: 0, first: null, begun: null, head: null, unsealed, flaw: { code, seq: null, id: null } };
}

async function unsealedOf({ reads }: TrailRooms) {
  const [row] = await reads.rows<{ readonly count: number; readonly id: string | null }>(countUnsealed());
  return { count: Number(row?.count ?? 0), id: row?.id ?? null };
}

/** Where the last purge left the chain. The row that says so is in the chain itself, and is judged with it. */
async function checkpointOf({ reads }: TrailRooms): Promise<Link> {
  const [row] = await reads.rows<{ readonly detail: string }>(selectLastPurge());
  return (row === undefined ? null : linkIn(row.detail)) ?? START;
}

type Walked = Omit<AuditVerdict, 'unsealed'>;

async function walk(
  { reads }: TrailRooms,
  keys: readonly KeyObject[],
  from: Link,
  asked: AuditHead | null,
): Promise<Walked> {
  let at = from;
  let rows = 0;
  let first: Walked['first'] = null;
  let begun: Walked['begun'] = null;
  let isThere = asked === null || isSame(asked, from);
  let after: readonly [seq: number, id: string] = [Number.MIN_SAFE_INTEGER, ''];
  const so = (flaw: AuditFlaw | null): Walked => ({
    rows,
    first,
    begun,
    head: rows === 0 ? null : at,
    flaw,
  });
  for (;;) {
    const page = await reads.rows<SealedRow>(selectSealed(after, PAGE));
    for (const row of page) {
      const next: Link | Break = follow(keys, at, row);
      if ('code' in next) return so(next);
      at = next;
      rows++;
      first ??= { seq: next.seq, at: row.at };
      if (row.action === 'audit.begin') begun = { seq: next.seq, at: row.at };
      isThere ||= asked !== null && isSame(asked, next);
    }
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined) break;
    after = [at.seq, last.id];
    // Elsewhere in this process requests are waiting.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (isThere || asked === null) return so(null);
  const code = asked.seq < from.seq ? 'head_purged' : 'head_missing';
  return so({ code, seq: asked.seq, id: null });
}

function isSame(one: Link, other: Link): boolean {
  return one.seq === other.seq && one.mac === other.mac;
}

/** Of the chain a part from its beginning, so that what stays follows what is gone; then what is in no chain. */
async function purgeRows(rooms: TrailRooms, purge: AuditPurge): Promise<number> {
  return (await purgeSealed(rooms, purge)) + (await purgeUnsealed(rooms, purge));
}

async function purgeSealed({ reads, write, auditRow }: TrailRooms, purge: AuditPurge): Promise<number> {
  const { beforeMs, by: actor } = purge;
  let removed = 0;
  let after: readonly [seq: number, id: string] = [Number.MIN_SAFE_INTEGER, ''];
  for (;;) {
    const page = await reads.rows<SealedRow>(selectSealed(after, PURGE_CHUNK));
    const end = page.findIndex(({ at }) => at >= beforeMs);
    const old = end === -1 ? page : page.slice(0, end);
    const last = old.at(-1);
    if (last === undefined || last.seq === null) return removed;
    const detail = { before: beforeMs, first: old[0]?.seq, through: last.seq, mac: last.mac };
    const [gone] = await write([
      deleteThrough(last.seq),
      ifChanged(insertAudit(auditRow({ actor, action: 'audit.purge', subject: 'audit', detail }))),
    ]);
    removed += gone?.changes ?? 0;
    if (old.length < PURGE_CHUNK) return removed;
    after = [last.seq, last.id];
  }
}

async function purgeUnsealed({ reads, write, auditRow }: TrailRooms, purge: AuditPurge): Promise<number> {
  const { beforeMs, by: actor } = purge;
  let removed = 0;
  let after = '';
  for (;;) {
    const page = await reads.rows<SealedRow>(selectUnsealed(after, PURGE_CHUNK));
    const old = page.filter(({ at }) => at < beforeMs);
    const ids = old.map(({ id }) => id);
    if (ids.length > 0) {
      const detail = { before: beforeMs, unsealed: ids.length };
      const [gone] = await write([
        deleteUnsealed(ids),
        ifChanged(insertAudit(auditRow({ actor, action: 'audit.purge', subject: 'audit unsealed', detail }))),
      ]);
      removed += gone?.changes ?? 0;
    }
    const last = page.at(-1);
    if (page.length < PURGE_CHUNK || last === undefined) return removed;
    after = last.id;
  }
}
