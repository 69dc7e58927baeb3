/** How many bad tokens an address may send before it must wait. In process; counts, never judges a token. */
import { LRUCache } from 'lru-cache';
import { type Bucket, createBucket, type Rate, settle, spend, waitUs, wholeMs } from './sliding-window.ts';

/** `address` is what one customer is counted by: a v4 address, or a v6 /64. */
export interface FailureBudget {
  /**
   * ms until this address may try a token of this prefix again; null: it may now. Spends nothing.
   *
   * Refused only when the address has spent its quota and the prefix its reserve (a tenth, at least
   * one): a flood under one prefix never stops the first use of another.
   */
  exhausted(address: string, prefix: string): number | null;

  /** Counts one failure. `prefix` is the configured prefix the token began with; '': none. */
  spend(address: string, prefix: string): void;
}

export type FailureBudgetOptions = {
  readonly quota: number;
  readonly windowMs: number;
  /** A monotonic clock in ms. */
  readonly now?: () => number;
  /** Beyond it the address that was seen longest ago is forgotten. */
  readonly addressesMax?: number;
};

type Failures = { readonly total: Bucket; readonly byPrefix: Map<string, Bucket> };

/** Fewer steps than a limit has: an address costs little memory and waits at most a tenth too long. */
const STEPS = 10;
const ADDRESSES_MAX = 50_000;
/** Prefixes come from the config and are few; whatever is beyond shares one bucket. */
const PREFIXES_MAX = 64;

export function createFailureBudget(options: FailureBudgetOptions): FailureBudget {
  const now = options.now ?? (() => performance.now());
  const rate: Rate = { quota: options.quota, windowUs: options.windowMs * 1000, steps: STEPS };
  const reserve: Rate = { ...rate, quota: Math.max(1, Math.floor(options.quota / 10)) };
  const addresses = new LRUCache<string, Failures>({ max: options.addressesMax ?? ADDRESSES_MAX });
  const nowUs = (): number => Math.floor(now() * 1000);

  return {
    exhausted(address, prefix) {
      const failures = addresses.get(address);
      if (failures === undefined) return null;
      const atUs = nowUs();
      const own = failures.byPrefix.get(slot(failures, prefix));
      const wait = Math.min(until(failures.total, rate, atUs), own ? until(own, reserve, atUs) : 0);
      return wait === 0 ? null : wholeMs(wait);
    },

    spend(address, prefix) {
      const failures = addresses.get(address) ?? { total: createBucket(), byPrefix: new Map() };
      addresses.set(address, failures);
      const name = slot(failures, prefix);
      const own = failures.byPrefix.get(name) ?? createBucket();
      failures.byPrefix.set(name, own);
      const atUs = nowUs();
      count(failures.total, rate, atUs);
      count(own, reserve, atUs);
    },
  };
}

function slot({ byPrefix }: Failures, prefix: string): string {
  return byPrefix.has(prefix) || byPrefix.size < PREFIXES_MAX ? prefix : '';
}

function until(bucket: Bucket, rate: Rate, nowUs: number): number {
  settle(bucket, rate, nowUs);
  return waitUs(bucket, rate, 1, nowUs);
}

function count(bucket: Bucket, rate: Rate, nowUs: number): void {
  settle(bucket, rate, nowUs);
  spend(bucket, rate, 1, nowUs);
}
