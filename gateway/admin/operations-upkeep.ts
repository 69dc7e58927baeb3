/** What operators do so that tokens and the audit stay what they are, and do not grow for ever: judge the chain, and purge. */
import { adminTypeName } from '../../policy/admin-type.ts';
import { type Checked, complainOf } from '../../policy/token-input.ts';
import { formatDuration } from '../../policy/units.ts';
import type { AuditHead, AuditVerdict } from '../../store/audit-store.ts';
import type { TokensPurged } from '../../store/token-store.ts';
import type { Desk } from './operations.ts';

/** How long ago something must have ended, where nobody says. */
export const purgeBeforeDefault = '90d';
const dayMs = 86_400_000;

/** Whether rows of the audit are still as they were written. @param head null: none was noted. @throws StoreFault */
export async function verifyAudit({ audit }: Desk, head: AuditHead | null): Promise<AuditVerdict> {
  return audit.verify(head);
}

export type PurgedTokens = Purged & Pick<TokensPurged, 'leftOut'>;

export type Purged = {
  /** Unix ms: what was, or had ended, before. */
  readonly beforeMs: number;
  readonly purged: number;
};

/** @throws StoreFault; chunks before it are gone. */
export async function purgeAudit(desk: Desk, agoMs: number): Promise<Checked<Purged>> {
  const beforeMs = timeAgo(desk, agoMs);
  if (!beforeMs.ok) return beforeMs;
  const purged = await desk.audit.purge({ beforeMs: beforeMs.value, by: desk.by });
  return { ok: true, value: { beforeMs: beforeMs.value, purged } };
}

/**
 * Tokens that were revoked, expired or retired longer ago than that. Those of operators stay: whether there has ever been one says
 * whether the first is to be made.
 *
 * @throws StoreFault; chunks before it are gone.
 */
export async function purgeTokens(desk: Desk, agoMs: number): Promise<Checked<PurgedTokens>> {
  const beforeMs = timeAgo(desk, agoMs);
  if (!beforeMs.ok) return beforeMs;
  const purge = { endedBeforeMs: beforeMs.value, but: [adminTypeName], by: desk.by };
  return { ok: true, value: { beforeMs: beforeMs.value, ...(await desk.tokens.purge(purge)) } };
}

/** A day at least: clocks of hosts differ, and what was done under an Idempotency-Key is remembered as long. */
function timeAgo({ now }: Desk, agoMs: number): Checked<number> {
  if (agoMs >= dayMs) return { ok: true, value: now() - agoMs };
  return complainOf(
    'before',
    'that is too short a time ago',
    null,
    `write at least ${formatDuration(dayMs)}`,
  );
}

/** `SEQ:MAC`, as it stands in a log line. */
export function headOf(text: string): Checked<AuditHead> {
  const [, seq = '', mac = ''] = /^([1-9][0-9]{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (mac !== '') return { ok: true, value: { seq: Number(seq), mac } };
  return complainOf('head', 'not a head of the chain', null, 'write SEQ:MAC of a line audit_head: 120:0f3a…');
}
