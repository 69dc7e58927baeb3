/** When a token that has a successor ends by itself. */
import { judgeRetirement, quietFrom } from '../../policy/retire.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { RetirementStore } from '../../store/retirement-store.ts';
import type { Desk } from './operations.ts';
import { evidenceOf, rotationOf } from './operations-usage.ts';
import { stateOf } from './token-view.ts';

export type PendingEnd = {
  /** At the latest, in Unix ms. */
  readonly endsAt: number;
  /** What it was asked to do besides: to end before, once nobody needs it; null: nothing. */
  readonly whenQuiet: {
    /** If it is not used again, in Unix ms, perhaps past; null: not as things stand. */
    readonly at: number | null;
    /** Why it can go, or not yet. */
    readonly because: string;
  } | null;
};

/** @returns null: it was not rotated, or has ended. @throws StoreFault */
export async function pendingEnd(
  desk: Pick<Desk, 'policy' | 'tokens' | 'usage' | 'now'>,
  retirements: Pick<RetirementStore, 'asked'>,
  record: TokenRecord,
): Promise<PendingEnd | null> {
  const { retireAt, expiresAt } = record;
  const now = desk.now();
  const state = stateOf(record, desk.policy.types.get(record.type), now);
  if (retireAt === null || state === 'revoked' || state === 'expired') return null;
  const endsAt = Math.min(retireAt, expiresAt ?? retireAt);
  const rotation = (await retirements.asked(record.id)) === null ? null : await rotationOf(desk, record);
  if (rotation === null) return { endsAt, whenQuiet: null };
  const evidence = evidenceOf(desk, rotation);
  const { because } = judgeRetirement(evidence, now);
  return { endsAt, whenQuiet: { at: quietFrom(evidence), because } };
}
