/** Ends rotated tokens before their overlap does, where that was asked for and nobody needs them any more. */
import { judgeRetirement } from '../../policy/retire.ts';
import type { Policy } from '../../policy/types.ts';
import type { Retirement } from '../../store/retirement-store.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { evidenceOf } from './operations-usage.ts';

export type RetireRooms = {
  readonly tokens: Pick<OpenTokens, 'byIds' | 'retirements' | 'usage'>;
  readonly policy: Policy;
  /** Unix ms. */
  readonly now: () => number;
};

const by = 'postern';

/**
 * Looks at all that were asked to; any number of processes may.
 *
 * @param onRetired told of each that it ended. @throws StoreFault
 */
export async function retireQuiet(
  rooms: RetireRooms,
  onRetired: (retirement: Retirement) => void,
): Promise<void> {
  const { retirements } = rooms.tokens;
  let page = await retirements.pending('');
  while (page.length > 0) {
    await retireSome(rooms, page, onRetired);
    page = await retirements.pending(page.at(-1)?.tokenId ?? '');
  }
  await retirements.forgetEnded();
}

async function retireSome(
  { tokens, policy, now }: RetireRooms,
  page: readonly Retirement[],
  onRetired: (retirement: Retirement) => void,
): Promise<void> {
  const ids = page.flatMap(({ tokenId, successor }) => [tokenId, successor]);
  const records = new Map((await tokens.byIds(ids)).map((record) => [record.id, record]));
  const uses = new Map((await tokens.usage.lastUses(ids)).map((use) => [use.tokenId, use]));
  for (const retirement of page) {
    const [old, successor] = [records.get(retirement.tokenId), records.get(retirement.successor)];
    if (old === undefined || successor === undefined) continue;
    const used = { oldUse: uses.get(old.id) ?? null, newUse: uses.get(successor.id) ?? null };
    const evidence = evidenceOf({ policy, now }, { old, successor, ...used });
    const { safe, because: reason } = judgeRetirement(evidence, now());
    // What has ended already is not ended again.
    if (!safe || !evidence.oldLives) continue;
    const lastUsedAt = evidence.oldLastUsedAt ?? 0;
    if (await tokens.retirements.retire({ ...retirement, lastUsedAt, by, reason })) onRetired(retirement);
  }
}
