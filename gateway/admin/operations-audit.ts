/** Looks through the audit for people: newest first, by subject, actor and action, a page at a time. */
import type { AuditEntry } from '../../store/audit-store.ts';
import type { Desk } from './operations.ts';
import { listAudit } from './operations-pin.ts';

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

/** `next`: where to go on; there may be none that fit beyond it. `looked`: at how many. */
export type FoundAudit = {
  readonly entries: readonly AuditEntry[];
  readonly next: string | null;
  readonly looked: number;
};

const chunk = 500;
/** So that a page comes at once, whatever is looked for. */
const lookedMax = 4000;

/** @throws StoreFault */
export async function findAudit(desk: Desk, search: AuditSearch): Promise<FoundAudit> {
  const { subject, limit, actor, action } = search;
  const isAny = actor === '' && action === '';
  const entries: AuditEntry[] = [];
  let { after } = search;
  for (let looked = 0; ; ) {
    const page = await listAudit(desk, { subject, after, limit: isAny ? limit : chunk, newestFirst: true });
    for (const entry of page.entries) {
      looked++;
      if (!isAny && !fits(entry, search)) continue;
      entries.push(entry);
      const isLast = entry === page.entries.at(-1) && page.next === null;
      if (entries.length === limit) return { entries, next: isLast ? null : entry.id, looked };
    }
    if (page.next === null || looked >= lookedMax) return { entries, next: page.next, looked };
    after = page.next;
    // Requests at the gate come first.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function fits(entry: AuditEntry, { actor, action }: AuditSearch): boolean {
  if (!entry.actor.toLowerCase().includes(actor.toLowerCase())) return false;
  return action === '' || entry.action === action || entry.action.startsWith(`${action}.`);
}
