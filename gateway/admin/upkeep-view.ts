/** What was found of the audit's chain, and what was purged, as the outside sees it. */
import type { AuditFlaw, AuditVerdict } from '../../store/audit-store.ts';
import type { Purged, PurgedTokens } from './operations-upkeep.ts';

const words = {
  changed:
    'a row is not as it was sealed: it was changed or replaced, or sealed under a key that is not known here',
  removed: 'rows are missing',
  added: 'a row belongs to no chain: somebody without the key has added it',
  head_missing: 'the noted head is not in the chain: its end was cut off or replaced',
  head_purged: 'the noted head was purged, so nothing can be said of it; give a newer one',
  not_begun: 'there is no chain yet: it begins with the next change',
  no_key: 'rows are written without a chain; write audit: { key: { env: AUDIT_KEY } }',
} as const satisfies Record<AuditFlaw['code'], string>;

export const flawCodes = Object.keys(words) as readonly AuditFlaw['code'][];

export function verdictView({ rows, first, begun, head, unsealed, flaw }: AuditVerdict) {
  return {
    ok: flaw === null,
    rows,
    first: placeView(first),
    begun: placeView(begun),
    head,
    unsealed,
    flaw: flaw === null ? null : { ...flaw, message: words[flaw.code] },
  };
}

function placeView(place: AuditVerdict['first']) {
  return place === null ? null : { seq: place.seq, at: new Date(place.at).toISOString() };
}

export function purgedView({ beforeMs, purged }: Purged) {
  return { before: new Date(beforeMs).toISOString(), purged };
}

export function purgedTokensView(done: PurgedTokens) {
  return { ...purgedView(done), left_out: done.leftOut };
}
