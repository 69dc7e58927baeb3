/** What is to be done about tokens that somebody else found in public: plain values in, steps out. */
import type { TokenRecord } from './token-types.ts';

/** `quarantine` disables, which an operator can take back; `revoke` cannot be; `notify` leaves it to people. */
export const leakResponses = ['notify', 'quarantine', 'revoke'] as const;

export type LeakRule = { readonly respond: (typeof leakResponses)[number] };

/** One report, and what the store knows of its token; never the token. */
export type LeakFound = {
  /** null: no token of ours. */
  readonly record: TokenRecord | null;
  /** Where it stood, in the reporter's words; '' where that was not told. */
  readonly url: string;
  readonly source: string;
};

export type LeakStep = {
  readonly id: string;
  readonly do: 'notify' | 'disable' | 'revoke';
  /** For the record: 1 to 120 printable characters. */
  readonly reason: string;
};

const reasonCharsMax = 120;

/**
 * One step for each token that works or could work again, however often it was reported. Doing the steps twice changes no more
 * than doing them once, but for a token that an operator enabled again after a quarantine: whoever takes reports remembers
 * which. A canary stays on guard: it was laid out to be found.
 *
 * @param now Unix ms.
 */
export function leakSteps(
  found: readonly LeakFound[],
  { respond }: LeakRule,
  now: number,
): readonly LeakStep[] {
  const steps = new Map<string, LeakStep>();
  for (const leak of found) {
    const { record } = leak;
    if (record === null || steps.has(record.id) || isOver(record, now)) continue;
    const step = record.canary === true ? 'notify' : respond === 'quarantine' ? 'disable' : respond;
    if (step === 'disable' && record.disabledAt !== null) continue;
    steps.set(record.id, { id: record.id, do: step, reason: reasonOf(leak) });
  }
  return [...steps.values()];
}

function isOver({ revokedAt, expiresAt, retireAt }: TokenRecord, now: number): boolean {
  return (
    revokedAt !== null || (expiresAt !== null && expiresAt <= now) || (retireAt !== null && retireAt <= now)
  );
}

/** The url was written by whoever leaked the token: only what is plain is kept of it. */
function reasonOf({ url, source }: LeakFound): string {
  const text = `leaked: ${source} ${url}`.replace(/[^\x20-\x7e]/g, '?').trim();
  return text.slice(0, reasonCharsMax);
}
