/** Usage in whatever database holds the tokens. Added to every few seconds, by any number of processes. */
import { chunksOf } from './chunks.ts';
import type { Change } from './schema.ts';
import type { TokenReads } from './token-reads.ts';
import type { LastUse, UsageCount, UsageRow, UsageStore } from './usage-store.ts';
import {
  addCounts,
  bucketSeconds,
  forgetBuckets,
  markLastUses,
  selectLastUses,
  selectSums,
} from './usage-writes.ts';

export type UsageRooms = {
  /** Unix ms. */
  readonly now: () => number;
  /** All of the batch in one transaction, or none; durable when it resolves. */
  readonly write: (batch: readonly Change[]) => Promise<unknown>;
  readonly reads: Pick<TokenReads, 'rows'>;
};

const DAY_MS = 86_400_000;
const KEPT_MS = { minute: 2 * DAY_MS, hour: 400 * DAY_MS } as const;

export function createUsage({ now, write, reads }: UsageRooms): UsageStore {
  return {
    async add(counts, uses) {
      const batch = [
        ...Object.values(bucketSeconds).flatMap((seconds) =>
          chunksOf(inBuckets(counts, seconds)).map((part) => addCounts(part, seconds)),
        ),
        ...chunksOf(inOrder(uses, ({ tokenId }) => tokenId)).map(markLastUses),
      ];
      if (batch.length > 0) await write(batch);
    },

    async sums(filter) {
      const limit = Math.min(10_000, Math.max(1, Math.trunc(filter.limit)));
      const rows = await reads.rows<Omit<UsageRow, 'key'> & { readonly key: string | number }>(
        selectSums({ ...filter, limit }),
      );
      const named = rows.map(({ key, ...counts }) => ({
        ...counts,
        key: filter.by === 'time' ? String(Number(key) * 1000) : String(key),
      }));
      return filter.by === 'time' ? named.reverse() : named;
    },

    async lastUses(tokenIds) {
      if (tokenIds.length === 0) return [];
      const rows = await reads.rows<{ token_id: string; at: number; address: string; route: string }>(
        selectLastUses(tokenIds),
      );
      return rows.map(({ token_id: tokenId, ...use }) => ({ tokenId, ...use }));
    },

    async forgetOld() {
      await write(
        (['minute', 'hour'] as const).map((bucket) =>
          forgetBuckets(bucketSeconds[bucket], now() - KEPT_MS[bucket]),
        ),
      );
    },
  };
}

/** One count for each token, row and bucket. */
function inBuckets(counts: readonly UsageCount[], seconds: number): readonly UsageCount[] {
  const sums = new Map<string, UsageCount>();
  for (const count of counts) {
    const minuteMs = Math.floor(count.minuteMs / (seconds * 1000)) * seconds * 1000;
    const key = keyOf({ ...count, minuteMs });
    const { passed, refused, failed } = sums.get(key) ?? { passed: 0, refused: 0, failed: 0 };
    sums.set(key, {
      tokenId: count.tokenId,
      minuteMs,
      route: count.route,
      passed: passed + count.passed,
      refused: refused + count.refused,
      failed: failed + count.failed,
    });
  }
  return inOrder([...sums.values()], keyOf);
}

const keyOf = ({ tokenId, minuteMs, route }: UsageCount): string => `${tokenId}\n${minuteMs}\n${route}`;

/** Processes that add to the same rows do so in the same order, and never wait for each other in a ring. */
function inOrder<T extends UsageCount | LastUse>(
  items: readonly T[],
  key: (item: T) => string,
): readonly T[] {
  return [...items].sort((one, other) => (key(one) < key(other) ? -1 : 1));
}
