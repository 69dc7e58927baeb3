/** Sessions in whatever database holds the tokens: each change and its audit row in one transaction. */
import { randomBytes } from 'node:crypto';
import type { AuditRows } from './audit-rows.ts';
import { insertAudit } from './audit-writes.ts';
import { createIds } from './id.ts';
import { type Change, ifChanged } from './schema.ts';
import { digestOf } from './secret.ts';
import type { SessionRecord, SessionStore } from './session-store.ts';
import {
  deleteSession,
  forgetBut,
  forgetOver,
  insertSession,
  markSeen,
  type SessionClock,
  type SessionRow,
  selectByDigest,
  selectById,
  selectNewest,
} from './session-writes.ts';
import type { TokenReads } from './token-reads.ts';
import type { StatementResult } from './writer-thread.ts';

export type SessionRooms = {
  /** Unix ms. */
  readonly now: () => number;
  readonly auditRow: AuditRows;
  /** All of the batch in one transaction, or none; durable when it resolves. */
  readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  readonly reads: Pick<TokenReads, 'rows'>;
};

/** Who walks away from a screen is signed out by then. */
export const sessionIdleMs = 30 * 60_000;
/** A day's work. */
export const sessionLifeMs = 12 * 3_600_000;
const seenEveryMs = 60_000;
const keptMax = 20;

export function createSessions({ now, auditRow, write, reads }: SessionRooms): SessionStore {
  const nextId = createIds('ses_', now);
  const clock = (atMs = now()): SessionClock => ({ atMs, seenAfterMs: atMs - sessionIdleMs });
  const readOne = async (query: Change): Promise<SessionRecord | null> => {
    const [row] = await reads.rows<SessionRow>(query);
    return row === undefined ? null : recordOf(row);
  };
  return {
    async open({ holder, proof, address, by }) {
      const atMs = now();
      const secret = randomBytes(32).toString('base64url');
      const row: SessionRow = {
        id: nextId(),
        digest: digestOf(secret),
        kind: holder.kind,
        name: holder.name,
        proof,
        address,
        created_at: atMs,
        last_seen_at: atMs,
        expires_at: atMs + sessionLifeMs,
      };
      const audit = auditRow({ actor: by, action: 'session.open', subject: row.id, detail: { address } });
      await write([
        insertSession(row),
        insertAudit(audit),
        forgetOver(clock(atMs)),
        forgetBut(holder, keptMax),
      ]);
      return { record: recordOf(row), secret };
    },

    find: (secret) => readOne(selectByDigest(digestOf(secret), clock())),

    byId: async (id) => (id.includes('\0') ? null : readOne(selectById(id, clock()))),

    async touch({ id, lastSeenAt }) {
      const atMs = now();
      if (atMs - lastSeenAt >= seenEveryMs) await write([markSeen(id, atMs)]);
    },

    async list(holder) {
      const rows = await reads.rows<SessionRow>(selectNewest(holder, clock()));
      return rows.map(recordOf);
    },

    async end(id, by) {
      if (id.includes('\0')) return false;
      const audit = auditRow({ actor: by, action: 'session.end', subject: id, detail: {} });
      const [gone] = await write([deleteSession(id), ifChanged(insertAudit(audit))]);
      return gone?.changes === 1;
    },
  };
}

function recordOf(row: SessionRow): SessionRecord {
  return {
    id: row.id,
    holder: { kind: row.kind, name: row.name },
    proof: row.proof,
    address: row.address,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
    expiresAt: row.expires_at,
  };
}
