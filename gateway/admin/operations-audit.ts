/** Looks through the audit for people: newest first, by subject, actor and action, a page at a time. */
import { auditCursor } from '../../policy/cursors.ts';
import type { Checked } from '../../policy/token-input.ts';
import type { AuditEntry } from '../../store/audit-store.ts';
import { goesOn } from './cursors.ts';
import type { Desk } from './operations.ts';
import { type Found, lookThrough } from './search.ts';

export type AuditSearch = {
  /** What it was done to, to the letter; null: anything. */
  readonly subject: string | null;
  /** In who did it; '': anybody. */
  readonly actor: string;
  /** `token.revoke`, or what it begins with up to a dot: `token`; '': anything. */
  readonly action: string;
  readonly limit: number;
  readonly after: string | null;
};

export type FoundAudit = Omit<Found<AuditEntry>, 'items'> & { readonly entries: readonly AuditEntry[] };

/** @throws StoreFault */
export async function findAudit(desk: Desk, search: AuditSearch): Promise<Checked<FoundAudit>> {
  const { subject, limit, after, actor, action } = search;
  const from = goesOn(after, auditCursor);
  if (!from.ok) return from;
  const { items, ...found } = await lookThrough({
    page: async (from, count) => {
      const listed = await desk.audit.list({ subject, after: from, limit: count, newestFirst: true });
      return { items: listed.entries, next: listed.next };
    },
    fits: actor === '' && action === '' ? null : (entry) => fits(entry, search),
    ...{ limit, after },
  });
  return { ok: true, value: { entries: items, ...found } };
}

function fits(entry: AuditEntry, { actor, action }: AuditSearch): boolean {
  if (!entry.actor.toLowerCase().includes(actor.toLowerCase())) return false;
  return action === '' || entry.action === action || entry.action.startsWith(`${action}.`);
}
