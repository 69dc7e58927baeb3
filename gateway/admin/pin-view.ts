/** What is pinned, and who changed what, as the outside sees it. */
import { detailShown } from '../../policy/secret-attributes.ts';
import type { Policy } from '../../policy/types.ts';
import type { AuditEntry } from '../../store/audit-store.ts';
import type { PinKey, PinRecord, ReplacedPin } from '../../store/pin-store.ts';

export function pinView({ pin, subject, value, pinnedAt, pinnedBy, version }: PinRecord) {
  return {
    pin,
    subject,
    value,
    pinned_at: new Date(pinnedAt).toISOString(),
    pinned_by: pinnedBy,
    version,
  };
}

/** After a pin was set. Another process may have let it go since: what is told is what is so. */
export function changedPinView({ pin, subject }: PinKey, { now, before }: ReplacedPin) {
  const view = now === null ? { pin, subject, value: null } : pinView(now);
  return { ...view, before: before?.value ?? null };
}

export function resetPinView({ pin, subject }: PinKey, { before }: ReplacedPin) {
  return { pin, subject, value: null, before: before?.value ?? null };
}

export function auditView({ id, at, actor, action, subject, detail }: AuditEntry, policy: Policy) {
  const time = new Date(at).toISOString();
  return { id, at: time, actor, action, subject, detail: detailShown(detail, policy) };
}
