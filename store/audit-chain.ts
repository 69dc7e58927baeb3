/** How audit rows are chained: what is sealed of each, and whether one follows another. Asks nothing, and knows no database. */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { AuditRow } from './audit-rows.ts';

/** A place in the chain: the number of a row, and its mac in hex. */
export type Link = { readonly seq: number; readonly mac: string };

/** What the first row follows. */
export const START: Link = { seq: 0, mac: '' };

/** A row as it stands; null: in no chain. */
export type SealedRow = AuditRow & { readonly seq: number | null; readonly mac: string | null };

/**
 * HMAC-SHA256 (RFC 2104) over the mac before, the row's number and every field of it. As a JSON array of numbers and strings: no two
 * rows have the same text, however their fields are cut.
 */
export function sealOf(key: KeyObject, before: Link, row: AuditRow): Link {
  const { id, at, actor, action, subject, detail } = row;
  const seq = before.seq + 1;
  const sealed = JSON.stringify(['postern audit 1', before.mac, seq, id, at, actor, action, subject, detail]);
  return { seq, mac: createHmac('sha256', key).update(sealed).digest('hex') };
}

/** `changed`: a row is not as it was sealed; `removed`: one is missing; `added`: one is there that belongs to no chain. */
export type BreakCode = 'changed' | 'removed' | 'added';

/** The first thing that is wrong. `seq`: where; null: the row has no number. `id`: of the row that shows it. */
export type Break = { readonly code: BreakCode; readonly seq: number | null; readonly id: string };

/** Why a row does not follow; otherwise where the chain is then. @param keys any of them may have sealed it. */
export function follow(keys: readonly KeyObject[], before: Link, row: SealedRow): Link | Break {
  const expected = before.seq + 1;
  const { seq, id, mac } = row;
  if (seq === null || seq < expected) return { code: 'added', seq, id };
  if (seq > expected) return { code: 'removed', seq: expected, id };
  const found = Buffer.from(mac ?? '');
  for (const key of keys) {
    const link = sealOf(key, before, row);
    const sealed = Buffer.from(link.mac);
    if (sealed.length === found.length && timingSafeEqual(sealed, found)) return link;
  }
  return { code: 'changed', seq, id };
}

/** What a purge's row says of the last row that it removed, from which the chain goes on; null: nothing that can be read. */
export function linkIn(detail: string): Link | null {
  try {
    const { through, mac } = JSON.parse(detail) as Readonly<Record<string, unknown>>;
    return typeof through === 'number' && typeof mac === 'string' ? { seq: through, mac } : null;
  } catch {
    return null;
  }
}
