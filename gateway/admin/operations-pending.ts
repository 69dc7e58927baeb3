/** When a token that has a successor ends by itself. */
import {
  judgeRetirement,
  quietFrom,
  type RetireVerdict,
  type RotationEvidence,
} from '../../policy/retire.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { AskedRetirement } from '../../store/retirement-store.ts';
import type { LastUse } from '../../store/usage-store.ts';
import type { Desk } from './operations.ts';
import type { Rotated } from './operations-life.ts';
import { evidenceOf } from './operations-usage.ts';
import { stateOf } from './token-view.ts';

/** What it takes to tell. */
export type PendingDesk = Pick<Desk, 'policy' | 'now' | 'retirements'> & {
  readonly tokens: Pick<Desk['tokens'], 'byIds'>;
  readonly usage: Pick<Desk['usage'], 'lastUses'>;
};

/** A token was asked to end before its overlap does, once nobody needs it. */
export type PendingRetirement = AskedRetirement & {
  /** At the latest, in Unix ms. */
  readonly endsAt: number;
  readonly evidence: RotationEvidence;
  readonly verdict: RetireVerdict;
  /** From when on nobody needs it if it is not used again, in Unix ms, perhaps past; null: not as things stand. */
  readonly quietAt: number | null;
};

/** Those of these tokens that were asked to and have not ended, by id; asks nothing where none was rotated. @throws StoreFault */
export async function pendingRetirements(
  desk: PendingDesk,
  records: readonly TokenRecord[],
): Promise<ReadonlyMap<string, PendingRetirement>> {
  const rotated = records.filter((one) => one.rotatedTo !== null && endOf(desk, one) !== null);
  const waiting = new Map(rotated.map((record) => [record.id, record]));
  if (waiting.size === 0) return new Map();
  const asked = await desk.retirements.asked([...waiting.keys()]);
  const known = new Map(records.map((record) => [record.id, record]));
  // On a page of a list most successors stand beside what they follow.
  const missing = asked.flatMap(({ successor }) => (known.has(successor) ? [] : [successor]));
  const found = missing.length === 0 ? [] : await desk.tokens.byIds(missing);
  const successors = new Map([...known.values(), ...found].map((record) => [record.id, record]));
  const pairs = asked.flatMap((retirement) => {
    const [old, successor] = [waiting.get(retirement.tokenId), successors.get(retirement.successor)];
    // Without a successor it stays as long as it may.
    return old === undefined || successor === undefined ? [] : [{ retirement, old, successor }];
  });
  const ids = pairs.flatMap(({ old, successor }) => [old.id, successor.id]);
  const uses = new Map((await desk.usage.lastUses(ids)).map((use) => [use.tokenId, use]));
  return new Map(pairs.map((pair) => [pair.old.id, pendingOf(desk, pair, uses)]));
}

/**
 * Of a rotation that was made just now, or would be, by the records alone: nothing is read any more that could fail, and with
 * it the text of the new token would be lost. null: it was not asked for.
 */
export function pendingOfRotation(desk: PendingDesk, rotation: Rotated): PendingRetirement | null {
  const { before: old, created, retirement } = rotation;
  if (retirement === null || endOf(desk, old) === null) return null;
  return pendingOf(desk, { retirement, old, successor: created.record }, new Map());
}

type Pair = {
  readonly retirement: AskedRetirement;
  readonly old: TokenRecord;
  readonly successor: TokenRecord;
};

function pendingOf(
  desk: PendingDesk,
  { retirement, old, successor }: Pair,
  uses: ReadonlyMap<string, LastUse>,
): PendingRetirement {
  const now = desk.now();
  const used = { oldUse: uses.get(old.id) ?? null, newUse: uses.get(successor.id) ?? null };
  const evidence = evidenceOf(desk, { old, successor, ...used });
  const verdict = judgeRetirement(evidence, now);
  return { ...retirement, endsAt: endOf(desk, old) ?? now, evidence, verdict, quietAt: quietFrom(evidence) };
}

/** Of a token whose overlap runs, in Unix ms; null: it has none, or has ended. */
function endOf({ policy, now }: Pick<Desk, 'policy' | 'now'>, record: TokenRecord): number | null {
  const { retireAt, expiresAt } = record;
  if (retireAt === null) return null;
  const state = stateOf(record, policy.types.get(record.type), now());
  return state === 'revoked' || state === 'expired' ? null : Math.min(retireAt, expiresAt ?? retireAt);
}

export type PendingEnd = {
  /** At the latest, in Unix ms. */
  readonly endsAt: number;
  /** What it was asked to do besides; null: nothing. */
  readonly whenQuiet: PendingRetirement | null;
};

/** @returns null: it was not rotated, or has ended. @throws StoreFault */
export async function pendingEnd(desk: PendingDesk, record: TokenRecord): Promise<PendingEnd | null> {
  const endsAt = endOf(desk, record);
  if (endsAt === null) return null;
  return { endsAt, whenQuiet: (await pendingRetirements(desk, [record])).get(record.id) ?? null };
}
