/**
 * The urls of one upstream: which of them takes the next request, and which is left out for a while because it
 * keeps failing. With one url there is nothing to choose, and nothing is ever left out.
 */
import type { Pool } from 'undici';
import type { StrictClient } from './strict-client.ts';

/** One url. `outstanding` is how many requests are at it. */
export class Target {
  readonly origin: string;
  /** Host field it is called by. */
  readonly host: string;
  readonly basePath: string;
  readonly pool: Pool;
  /** For requests that it carries; null: they go by the pool like all others. */
  readonly strict: StrictClient | null;
  outstanding = 0;
  /** In a row, since it last answered. */
  failures = 0;
  /** Monotonic ms; before it the target is left out. */
  backAtMs = 0;
  /** What its health check says; true where there is none. */
  healthy = true;

  constructor(origin: string, basePath: string, pool: Pool, strict: StrictClient | null = null) {
    this.origin = origin;
    this.host = new URL(origin).host;
    this.basePath = basePath;
    this.pool = pool;
    this.strict = strict;
  }
}

export type TargetChange = {
  readonly origin: string;
  readonly up: boolean;
  readonly reason: string;
};

const failuresMax = 3;
const firstEjectionMs = 5000;
const longestEjectionMs = 60_000;

export class Targets {
  readonly all: readonly Target[];
  readonly #now: () => number;
  readonly #onChange: (change: TargetChange) => void;
  #turn = 0;

  /** @param now monotonic ms. */
  constructor(all: readonly Target[], now: () => number, onChange: (change: TargetChange) => void) {
    this.all = all;
    this.#now = now;
    this.#onChange = onChange;
  }

  /**
   * The least busy target that is in; those equally busy take turns. Where all are out, the least busy of all: a
   * try is better than a certain 502. null: every one is in `tried`.
   */
  choose(tried: readonly Target[] = []): Target | null {
    const [only] = this.all;
    if (this.all.length === 1 && tried.length === 0) return only ?? null;
    const nowMs = this.#now();
    const start = this.#turn++;
    let best: Target | null = null;
    let bestIsIn = false;
    for (let i = 0; i < this.all.length; i++) {
      const target = this.all[(start + i) % this.all.length];
      if (target === undefined || tried.includes(target)) continue;
      const isIn = target.healthy && nowMs >= target.backAtMs;
      if (best !== null && bestIsIn && !isIn) continue;
      if (best === null || (isIn && !bestIsIn) || target.outstanding < best.outstanding) {
        best = target;
        bestIsIn = isIn;
      }
    }
    return best;
  }

  /** It answered, with whatever status. */
  succeeded(target: Target): void {
    if (target.failures >= failuresMax) this.#tell(target, true, 'answers again');
    target.failures = 0;
  }

  /**
   * It could not be reached, or gave no answer that may be passed on. After three in a row it is left out for 5 s,
   * then tried again; each further failure doubles the time, up to 60 s.
   */
  failed(target: Target, reason: string): void {
    const nowMs = this.#now();
    if (nowMs < target.backAtMs) return;
    target.failures++;
    if (this.all.length === 1 || target.failures < failuresMax) return;
    const ms = Math.min(firstEjectionMs * 2 ** (target.failures - failuresMax), longestEjectionMs);
    target.backAtMs = nowMs + ms;
    this.#tell(target, false, `${reason}; left out for ${ms / 1000} s`);
  }

  /** What a health check found. */
  checked(target: Target, healthy: boolean, reason: string): void {
    if (target.healthy === healthy) return;
    target.healthy = healthy;
    this.#tell(target, healthy, reason);
  }

  /** Whether a target takes its share of requests right now. */
  isIn(target: Target): boolean {
    return target.healthy && this.#now() >= target.backAtMs;
  }

  #tell({ origin }: Target, up: boolean, reason: string): void {
    this.#onChange({ origin, up, reason });
  }
}
