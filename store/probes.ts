/** Activations in whatever database holds the tokens: each change and its audit row in one transaction. */
import { randomUUID } from 'node:crypto';
import type { AuditRows } from './audit-rows.ts';
import { insertAudit } from './audit-writes.ts';
import type { ActivationRecord, NewActivation, ProbeStore } from './probe-store.ts';
import {
  type ActivationRow,
  forget,
  forgetBut,
  insertIfRoom,
  markDeactivated,
  type Position,
  selectActivation,
  selectLasting,
} from './probe-writes.ts';
import { type Change, ifChanged } from './schema.ts';
import type { TokenReads } from './token-reads.ts';
import type { StatementResult } from './writer-thread.ts';

export type ProbeRooms = {
  /** Unix ms. */
  readonly now: () => number;
  readonly auditRow: AuditRows;
  /** All of the batch in one transaction, or none; durable when it resolves. */
  readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  /** `write`, and no two of these at a time, whatever process they are from. */
  readonly writeAlone: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  readonly reads: Pick<TokenReads, 'rows'>;
};

/** How long what has ended is kept, so that a late deactivation still hears when it was. */
const KEPT_MS = 30 * 86_400_000;
/** And how many, of a type and subject: on and off in a loop must not make the next one slower. */
const KEPT_MAX = 100;

export function createProbes({ now, auditRow, write, writeAlone, reads }: ProbeRooms): ProbeStore {
  return {
    async activate(activation, activeMax) {
      const row = rowOf(activation, now());
      const { activation_id, type, subject, created_by: actor, created_at: atMs, ...rest } = row;
      const { deactivated_at: _at, deactivated_by: _by, ...said } = rest;
      const detail = { type, for: subject, ...said };
      const audit = auditRow({ actor, action: 'probe.activate', subject: activation_id, detail });
      const [added] = await writeAlone([
        insertIfRoom(row, activeMax),
        ifChanged(insertAudit(audit)),
        ifChanged(forget(row, atMs - KEPT_MS)),
        ifChanged(forgetBut(row, KEPT_MAX, atMs)),
      ]);
      return added?.changes === 1 ? recordOf(row) : null;
    },

    async deactivate(key, id, by) {
      if (!isText(id) || !isText(key.subject)) return null;
      const detail = { type: key.type, for: key.subject };
      const audit = auditRow({ actor: by, action: 'probe.deactivate', subject: id, detail });
      const [, , found] = await write([
        markDeactivated(key, id, by, now()),
        ifChanged(insertAudit(audit)),
        selectActivation(key, id),
      ]);
      const row = found?.rows[0] as ActivationRow | undefined;
      return row === undefined ? null : recordOf(row);
    },

    async list({ type, subject, after, limit: asked }) {
      const limit = Math.min(1_000, Math.max(1, Math.trunc(asked)));
      if (!isText(subject)) return { activations: [], next: null };
      const rows = await reads.rows<ActivationRow>(
        selectLasting({ type, subject }, now(), positionOf(after), limit + 1),
      );
      const activations = rows.slice(0, limit).map(recordOf);
      const last = rows.length > limit ? activations.at(-1) : undefined;
      return { activations, next: last === undefined ? null : `${last.createdAt}_${last.id}` };
    },
  };
}

function rowOf(activation: NewActivation, atMs: number): ActivationRow {
  const { type, subject, labelPattern, service, environment, lifeMs, triggerLifeMs, by } = activation;
  return {
    activation_id: randomUUID(),
    type,
    subject,
    label_pattern: labelPattern,
    service,
    environment,
    created_at: atMs,
    created_by: by,
    expires_at: atMs + lifeMs,
    trigger_expires_at: atMs + triggerLifeMs,
    deactivated_at: null,
    deactivated_by: null,
  };
}

function recordOf(row: ActivationRow): ActivationRecord {
  const { type, subject, service, environment } = row;
  return {
    id: row.activation_id,
    type,
    subject,
    labelPattern: row.label_pattern,
    service,
    environment,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    triggerExpiresAt: row.trigger_expires_at,
    deactivatedAt: row.deactivated_at,
  };
}

/** What is no cursor of ours starts from the beginning. */
function positionOf(cursor: string | null): Position {
  const [, createdAt = '0', id = ''] = /^([0-9]{1,15})_([0-9a-f-]{36})$/.exec(cursor ?? '') ?? [];
  return [Number(createdAt), id];
}

/** PostgreSQL has no text with a NUL, so nothing of that name is there, or anywhere else. */
function isText(value: string): boolean {
  return !value.includes('\0');
}
