/** An alert as the outside sees it, whichever face shows it or sends it: snake_case, times in RFC 3339 UTC. */
import { type AlertKind, type AlertRecord, alertKinds } from './alert-types.ts';

export type AlertView = {
  readonly id: string;
  readonly at: string;
  readonly kind: AlertKind;
  /** A sentence of ours, without a word of others. */
  readonly summary: string;
  readonly subject: string;
  readonly token_id: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly acknowledged_at: string | null;
  readonly acknowledged_by: string | null;
  readonly attempts: number;
  readonly delivered_at: string | null;
};

export function alertView(alert: AlertRecord): AlertView {
  const { id, kind, subject, detail, attempts } = alert;
  return {
    id,
    at: timeOf(alert.at),
    kind,
    // Written by a newer Postern, it may be of a kind that this one does not know.
    summary: alertKinds[kind] ?? '',
    subject,
    token_id: alert.tokenId,
    detail,
    acknowledged_at: alert.acknowledgedAt === null ? null : timeOf(alert.acknowledgedAt),
    acknowledged_by: alert.acknowledgedBy,
    attempts,
    delivered_at: alert.deliveredAt === null ? null : timeOf(alert.deliveredAt),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
