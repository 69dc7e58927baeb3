/** A token as every face tells it: its record, and whether it is to end before its overlap does. */
import { quietMs, quietSince } from '../../policy/retire.ts';
import type { Checked } from '../../policy/token-input.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import { formatDuration } from '../../policy/units.ts';
import type { TokenPage } from '../../store/token-store.ts';
import type { Rotated } from './operations-life.ts';
import {
  type PendingDesk,
  type PendingRetirement,
  pendingOfRotation,
  pendingRetirements,
} from './operations-pending.ts';
import { type TokenView, timeOf, viewOf } from './token-view.ts';

/** Of a token that is to end as soon as nobody needs it: since when, after what, and what speaks for it as yet. */
export type RetirementView = {
  readonly successor: string;
  readonly asked_at: string;
  readonly asked_by: string;
  /** How long it must not have been used: `25h`. */
  readonly quiet_for: string;
  /** Its last use, or the rotation if that was later. */
  readonly quiet_since: string;
  /** When that is so if it is not used again, perhaps past; null: not as things stand. */
  readonly quiet_at: string | null;
  /** At the latest. */
  readonly ends_at: string;
  readonly old_last_used_at: string | null;
  readonly new_last_used_at: string | null;
  readonly safe_to_retire: boolean;
  readonly because: string;
};

/** `retirement`: null: it ends at its own time, if at all, or has ended. */
export type ToldToken = TokenView & { readonly retirement: RetirementView | null };

/** With the token itself, for whoever made it. */
export type ToldSecret = ToldToken & { readonly token: string };

export type ToldPage = { readonly tokens: readonly ToldToken[]; readonly next: string | null };

/** In their order; those that were never rotated cost nothing. @throws StoreFault */
export async function toldTokens(
  desk: PendingDesk,
  records: readonly TokenRecord[],
): Promise<readonly ToldToken[]> {
  const pending = await pendingRetirements(desk, records);
  return records.map((record) => told(desk, record, pending.get(record.id) ?? null));
}

/** A page of a list. @throws StoreFault */
export async function toldPage(desk: PendingDesk, listed: Checked<TokenPage>): Promise<Checked<ToldPage>> {
  if (!listed.ok) return listed;
  const { tokens, next } = listed.value;
  return { ok: true, value: { tokens: await toldTokens(desk, tokens), next } };
}

/** @throws StoreFault */
export async function toldToken(desk: PendingDesk, record: TokenRecord): Promise<ToldToken> {
  return told(desk, record, (await pendingRetirements(desk, [record])).get(record.id) ?? null);
}

/** The token that was rotated just now, or would be. */
export function toldRotated(desk: PendingDesk, rotation: Rotated): ToldToken {
  return told(desk, rotation.before, pendingOfRotation(desk, rotation));
}

function told(
  { policy, now }: PendingDesk,
  record: TokenRecord,
  pending: PendingRetirement | null,
): ToldToken {
  return { ...viewOf(record, policy, now()), retirement: pending && retirementView(pending) };
}

function retirementView(pending: PendingRetirement): RetirementView {
  const { successor, askedAt, askedBy, endsAt, quietAt, evidence, verdict } = pending;
  return {
    successor,
    asked_at: timeOf(askedAt),
    asked_by: askedBy,
    quiet_for: formatDuration(quietMs),
    quiet_since: timeOf(quietSince(evidence)),
    quiet_at: timeOf(quietAt),
    ends_at: timeOf(endsAt),
    old_last_used_at: timeOf(evidence.oldLastUsedAt),
    new_last_used_at: timeOf(evidence.newLastUsedAt),
    safe_to_retire: verdict.safe,
    because: verdict.because,
  };
}
