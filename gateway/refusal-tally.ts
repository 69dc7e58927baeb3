/** What this gateway refused within the last hour, by code. A request that passed costs a look at its code. */
import type { Account } from './access-log.ts';

export type RefusalTally = {
  /** No I/O. */
  readonly note: (account: Pick<Account, 'code'>) => void;
  /** Of the last hour, to the minute; the most frequent first. */
  readonly byCode: () => readonly (readonly [code: string, count: number])[];
};

const minuteMs = 60_000;
const minutesKept = 60;

/** @param now Unix ms. */
export function createRefusalTally(now: () => number): RefusalTally {
  /** By minutes since 1970; codes are a list of ours, so this stays small. */
  const minutes = new Map<number, Map<string, number>>();
  let current: { readonly minute: number; readonly codes: Map<string, number> } | null = null;

  const forgetBefore = (minute: number): void => {
    for (const one of minutes.keys()) if (one < minute) minutes.delete(one);
  };

  return {
    note({ code }) {
      if (code === null) return;
      const minute = Math.floor(now() / minuteMs);
      if (current?.minute !== minute) {
        forgetBefore(minute - minutesKept + 1);
        const codes = minutes.get(minute) ?? new Map<string, number>();
        minutes.set(minute, codes);
        current = { minute, codes };
      }
      current.codes.set(code, (current.codes.get(code) ?? 0) + 1);
    },
    byCode() {
      const sums = new Map<string, number>();
      const from = Math.floor(now() / minuteMs) - minutesKept + 1;
      for (const [minute, codes] of minutes) {
        if (minute < from) continue;
        for (const [code, count] of codes) sums.set(code, (sums.get(code) ?? 0) + count);
      }
      return [...sums].sort(([one, a], [other, b]) => b - a || (one < other ? -1 : 1));
    },
  };
}
