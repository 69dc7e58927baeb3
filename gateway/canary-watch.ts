/** Tells of each use of a canary at once: once an address in its quiet time. Bounded, whoever has found one; no request waits for it. */
import { addressKey } from '../policy/address.ts';
import type { NewAlert } from '../store/alert-store.ts';

/** Where a canary was used. */
export type CanaryUse = {
  readonly tokenId: string;
  readonly address: string;
  /** The row that was asked for; `admin`: the admin listener. */
  readonly row: string;
  readonly requestId: string | null;
};

export type CanaryWatchOptions = {
  /** Keeps it and has it sent. @throws StoreFault */
  readonly tell: (alert: NewAlert) => Promise<unknown>;
  readonly quietMs: () => number;
  /** Unix ms. */
  readonly now: () => number;
  /** It could not be kept; it is tried again. */
  readonly onFault: (error: unknown) => void;
  readonly retryMs?: number;
};

export interface CanaryWatch {
  /** No I/O here. Never throws. */
  note(use: CanaryUse): void;
  /** Once what was noted is told, or cannot be. */
  close(): Promise<void>;
}

/** Of one canary in its quiet time: beyond them one alert stands for all others. */
const addressesMax = 20;
const rememberedMax = 10_000;
const retryMsDefault = 2000;
const triesMax = 30;

export function createCanaryWatch(options: CanaryWatchOptions): CanaryWatch {
  const { tell, quietMs, now, onFault, retryMs = retryMsDefault } = options;
  /** Until when nothing more is told of a canary and address. */
  const told = new Map<string, number>();
  /** How many addresses were told of a canary, since when. */
  const counts = new Map<string, { since: number; addresses: number }>();
  const pending = new Set<Promise<void>>();
  let isClosed = false;

  const send = async (alert: NewAlert): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        await tell(alert);
        return;
      } catch (error) {
        onFault(error);
        if (isClosed || tries === triesMax) return;
        await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
      }
    }
  };

  const isApart = (tokenId: string, at: number): boolean => {
    const known = counts.get(tokenId);
    if (known === undefined || at - known.since >= quietMs()) {
      counts.set(tokenId, { since: at, addresses: 1 });
      return true;
    }
    known.addresses++;
    return known.addresses <= addressesMax;
  };

  return {
    note({ tokenId, address, row, requestId }) {
      const at = now();
      const from = addressKey(address);
      const isSilent = (subject: string) => (told.get(subject) ?? 0) > at;
      const own = `${tokenId} from ${from}`;
      const others = `${tokenId} from many addresses`;
      if (isSilent(own) || isSilent(others)) return;
      const subject = isApart(tokenId, at) ? own : others;
      if (told.size >= rememberedMax) told.clear();
      told.set(subject, at + quietMs());
      const detail = { address, row, ...(requestId === null ? {} : { request: requestId }) };
      const sent = send({ kind: 'canary.used', subject, tokenId, detail, quietMs: quietMs() });
      pending.add(sent);
      void sent.finally(() => pending.delete(sent));
    },
    async close() {
      isClosed = true;
      await Promise.all(pending);
    },
  };
}
