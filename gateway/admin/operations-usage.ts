/** What operators ask about the use of tokens: how often, by whom, where last, and whether a rotated one is still needed. */

import { checkState } from '../../policy/checks/state.ts';
import { judgeRetirement, type RetireVerdict, type RotationEvidence } from '../../policy/retire.ts';
import { type Checked, complainOf } from '../../policy/token-input.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { isUnused } from '../../policy/unused.ts';
import type { LastUse, UsageKey, UsageRow } from '../../store/usage-store.ts';
import { type Desk, unknownToken } from './operations.ts';

export type UsageRequest = {
  /** null: all tokens, and requests of nobody. */
  readonly id: string | null;
  /** How far back, in ms. */
  readonly sinceMs: number;
  readonly by: UsageKey;
  readonly limit: number;
};

export type Rotated = {
  readonly old: TokenRecord;
  readonly successor: TokenRecord;
  readonly oldUse: LastUse | null;
  readonly newUse: LastUse | null;
  readonly verdict: RetireVerdict;
};

export type Usage = {
  readonly rows: readonly UsageRow[];
  /** Unix ms. */
  readonly sinceMs: number;
  readonly bucket: 'minute' | 'hour';
  /** null: of all tokens, or never used. */
  readonly lastUse: LastUse | null;
  /** Of a token that has a successor; null: it has none. */
  readonly rotation: Rotated | null;
};

/** Minutes tell apart what was within hours; they are kept for two days. */
const minutesUpToMs = 3 * 3_600_000;
/** Hours are kept for so long. */
const sinceMsMax = 400 * 86_400_000;

const tooFarBack = complainOf('since', 'nothing is kept from so long ago', null, 'write at most 400d');

/** @throws StoreFault */
export async function readUsage(
  desk: Desk,
  { id, sinceMs, by, limit }: UsageRequest,
): Promise<Checked<Usage>> {
  if (sinceMs > sinceMsMax) return tooFarBack;
  const record = id === null ? null : await desk.tokens.byId(id);
  if (id !== null && record === null) return unknownToken();
  const since = desk.now() - sinceMs;
  const bucket = sinceMs <= minutesUpToMs ? 'minute' : 'hour';
  const rows = await desk.usage.sums({ tokenId: id, sinceMs: since, bucket, by, limit });
  const [lastUse = null] = id === null ? [] : await desk.usage.lastUses([id]);
  const rotation = record === null ? null : await rotationOf(desk, record);
  return { ok: true, value: { rows, sinceMs: since, bucket, lastUse, rotation } };
}

/** null: it has no successor, or that is gone. @throws StoreFault */
export async function rotationOf(
  desk: Pick<Desk, 'policy' | 'tokens' | 'usage' | 'now'>,
  old: TokenRecord,
): Promise<Rotated | null> {
  const successor = old.rotatedTo === null ? null : await desk.tokens.byId(old.rotatedTo);
  if (successor === null) return null;
  const uses = await desk.usage.lastUses([old.id, successor.id]);
  const useOf = (id: string) => uses.find(({ tokenId }) => tokenId === id) ?? null;
  const [oldUse, newUse] = [useOf(old.id), useOf(successor.id)];
  const pair = { old, successor, oldUse, newUse };
  return { ...pair, verdict: judgeRetirement(evidenceOf(desk, pair), desk.now()) };
}

/** What is known of a token and its successor. */
export function evidenceOf(
  { policy, now: clock }: { readonly policy: Policy; readonly now: () => number },
  { old, successor, oldUse, newUse }: Omit<Rotated, 'verdict'>,
): RotationEvidence {
  const now = clock();
  const isOver = (at: number | null) => at !== null && at <= now;
  const [oldType, newType] = [policy.types.get(old.type), policy.types.get(successor.type)];
  const isIdle = oldType !== undefined && isUnused(old, oldType, now);
  return {
    oldLastUsedAt: latest(oldUse?.at, old.lastUsedAt),
    newLastUsedAt: latest(newUse?.at, successor.lastUsedAt),
    rotatedAt: successor.createdAt,
    oldLives: old.revokedAt === null && !isOver(old.retireAt) && !isOver(old.expiresAt) && !isIdle,
    newLives: newType !== undefined && checkState({ token: successor, type: newType, now }) === null,
  };
}

/** Both are written every few seconds, each by itself. */
function latest(one: number | undefined, other: number | null): number | null {
  return one === undefined ? other : Math.max(one, other ?? 0);
}
