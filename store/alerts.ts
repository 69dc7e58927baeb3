/** Alerts in whatever database holds the tokens: each change and its audit row in one transaction. */
import type { AlertKind, AlertRecord } from '../policy/alert-types.ts';
import type { AlertStore } from './alert-store.ts';
import {
  type AlertRow,
  forgetAlerts,
  insertIfQuiet,
  markAcknowledged,
  markClaimed,
  markDelivered,
  markFailed,
  selectAlert,
  selectAlerts,
  selectDue,
} from './alert-writes.ts';
import type { AuditRows } from './audit-rows.ts';
import { insertAudit } from './audit-writes.ts';
import { createIds } from './id.ts';
import { keptText } from './kept-text.ts';
import { type Change, ifChanged } from './schema.ts';
import type { TokenReads } from './token-reads.ts';
import type { StatementResult } from './writer-thread.ts';

export type AlertRooms = {
  /** Unix ms. */
  readonly now: () => number;
  readonly auditRow: AuditRows;
  /** All of the batch in one transaction, or none; durable when it resolves. */
  readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  /** `write`, and no two of these at a time, whatever process they are from. */
  readonly writeAlone: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  readonly reads: Pick<TokenReads, 'rows'>;
};

const KEPT_MS = 400 * 86_400_000;
/** Who raises them, in the audit. */
const ACTOR = 'postern';

export function createAlerts({ now, auditRow, write, writeAlone, reads }: AlertRooms): AlertStore {
  const nextId = createIds('alr_', now);
  return {
    async raise({ kind, subject: about, tokenId, detail, quietMs }) {
      const at = now();
      const subject = keptText(about);
      const row = newRow({
        id: nextId(),
        at,
        kind,
        subject,
        token_id: tokenId,
        detail: JSON.stringify(detail),
      });
      const said = { ...detail, ...(tokenId === null ? {} : { token: tokenId }), alert: row.id, kind };
      const audit = auditRow({ actor: ACTOR, action: 'alert.raised', subject, detail: said });
      const [added] = await writeAlone([insertIfQuiet(row, at - quietMs), ifChanged(insertAudit(audit))]);
      return added?.changes === 1 ? recordOf(row) : null;
    },

    async list(filter) {
      const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
      if (filter.after?.includes('\0')) return { alerts: [], next: null };
      const rows = await reads.rows<AlertRow>(selectAlerts(filter, limit + 1));
      const alerts = rows.slice(0, limit).map(recordOf);
      return { alerts, next: rows.length > limit ? (alerts.at(-1)?.id ?? null) : null };
    },

    async acknowledge(id, by) {
      // PostgreSQL has no text with a NUL, so nothing of that id is there.
      if (id.includes('\0')) return null;
      const [known] = await reads.rows<AlertRow>(selectAlert(id));
      if (known === undefined) return null;
      const detail = { alert: id, kind: known.kind };
      const audit = auditRow({ actor: by, action: 'alert.acknowledge', subject: known.subject, detail });
      const [, , found] = await write([
        markAcknowledged(id, by, now()),
        ifChanged(insertAudit(audit)),
        selectAlert(id),
      ]);
      const row = found?.rows[0] as AlertRow | undefined;
      return row === undefined ? null : recordOf(row);
    },

    async due(limit) {
      const rows = await reads.rows<AlertRow>(selectDue(now(), limit));
      return rows.map((row) => ({ alert: recordOf(row), nextTryAt: row.next_try_at ?? 0 }));
    },

    async claim({ alert: { id }, nextTryAt }, untilMs) {
      const [claimed] = await write([markClaimed(id, nextTryAt, untilMs)]);
      return claimed?.changes === 1;
    },

    async delivered(id) {
      await write([markDelivered(id, now())]);
    },

    async failed(id, nextTryAt) {
      await write([markFailed(id, nextTryAt)]);
    },

    async forgetOld() {
      await write([forgetAlerts(now() - KEPT_MS)]);
    },
  };
}

type NewRow = Pick<AlertRow, 'id' | 'at' | 'kind' | 'subject' | 'token_id' | 'detail'>;

/** To be sent at once, where there is anybody to send it to. */
function newRow(row: NewRow): AlertRow {
  const open = { acknowledged_at: null, acknowledged_by: null, delivered_at: null };
  return { ...row, ...open, attempts: 0, next_try_at: row.at };
}

function recordOf(row: AlertRow): AlertRecord {
  return {
    id: row.id,
    at: row.at,
    kind: row.kind as AlertKind,
    subject: row.subject,
    tokenId: row.token_id,
    detail: JSON.parse(row.detail),
    acknowledgedAt: row.acknowledged_at,
    acknowledgedBy: row.acknowledged_by,
    attempts: row.attempts,
    deliveredAt: row.delivered_at,
  };
}
