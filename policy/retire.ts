/** Whether the old token of a rotation is still needed, by what is known of both. */

export type RotationEvidence = {
  /** Unix ms; null: never used, as far as is known. */
  readonly oldLastUsedAt: number | null;
  readonly newLastUsedAt: number | null;
  /** When the new one was made, Unix ms. */
  readonly rotatedAt: number;
  /** Whether the old one can still be used. */
  readonly oldLives: boolean;
  /** Whether the new one can be used now. */
  readonly newLives: boolean;
};

export type RetireVerdict = { readonly safe: boolean; readonly because: string };

/** What runs once a day would have been seen by then. */
export const quietMs = 25 * 3_600_000;

/** Since when the old one is not used, in Unix ms: its last use, or the rotation if that was later. */
export function quietSince({ oldLastUsedAt, rotatedAt }: RotationEvidence): number {
  return Math.max(oldLastUsedAt ?? 0, rotatedAt);
}

/** From when on the old one can go if it is not used again, in Unix ms; null: that takes more than time, or it is gone. */
export function quietFrom(evidence: RotationEvidence): number | null {
  const { newLastUsedAt, oldLives, newLives } = evidence;
  if (!oldLives || !newLives || newLastUsedAt === null) return null;
  return quietSince(evidence) + quietMs;
}

/** @param now Unix ms. */
export function judgeRetirement(evidence: RotationEvidence, now: number): RetireVerdict {
  const { oldLastUsedAt, newLastUsedAt, rotatedAt, oldLives, newLives } = evidence;
  if (!oldLives) return { safe: true, because: 'the old token cannot be used any more' };
  if (!newLives) return { safe: false, because: 'the new token cannot be used any more' };
  if (newLastUsedAt === null) return { safe: false, because: 'the new token was never used' };
  if (now - quietSince(evidence) >= quietMs) {
    return { safe: true, because: 'the new token is in use, and the old one was not for 25 hours' };
  }
  return oldLastUsedAt !== null && oldLastUsedAt > rotatedAt
    ? { safe: false, because: 'the old token was used within the last 25 hours, after the new one was made' }
    : {
        safe: false,
        because: 'the new token is in use; wait until it is 25 hours old, for what runs once a day',
      };
}
