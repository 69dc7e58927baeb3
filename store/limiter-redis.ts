/**
 * Counts limits in one Redis, for all processes together: one round trip per request at most, none per
 * request while Redis is away. Never decides what an uncounted limit means.
 */
import type { Charge, LimitState } from '../policy/types.ts';
import { createBatch } from './batch.ts';
import type { Limiter, LimiterHealth } from './limiter.ts';
import { createFallback } from './limiter-fallback.ts';
import { openLink } from './limiter-link.ts';
import { createRefusals } from './limiter-refusals.ts';
import type { ScriptAnswer } from './limiter-script.ts';

export type RedisLimiterOptions = {
  /** redis:// or rediss://, with user, password and database as usual. */
  readonly url: string;
  /** How many processes share the quotas; while Redis is away each counts floor(quota / instances). */
  readonly instances: number;
  /** How long Redis may take to answer before this process goes on without it. */
  readonly timeoutMs?: number;
  readonly connectTimeoutMs?: number;
  /** Called once per change, never per request. `reason` is null when Redis counts. */
  readonly onStateChange?: (ok: boolean, reason: string | null) => void;
  /** Called after each script call, for metrics: how much went together, what Redis's clock said, and how long it took. */
  readonly onCall?: (answer: ScriptAnswer, seconds: number) => void;
};

type Job = {
  readonly charges: readonly Charge[];
  readonly settle: (states: readonly LimitState[]) => void;
};

const TIMEOUT_MS = 50;
const CONNECT_TIMEOUT_MS = 1000;
/** One call on the way and one being answered keep both ends busy; more would only make batches smaller. */
const IN_FLIGHT_MAX = 2;
/** Redis does nothing else during a call: this bounds it to about a millisecond. */
const JOBS_MAX = 100;

/** Starts without Redis too, and finds it by itself when it comes. @throws Error for a url that cannot be read. */
export function createRedisLimiter(options: RedisLimiterOptions): Limiter {
  const now = (): number => performance.now();
  const fallback = createFallback(options.instances, now);
  const refusals = createRefusals();

  const link = openLink({
    url: options.url,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    onStateChange(ok, reason) {
      if (ok) batch.pump();
      else countHere(batch.drain());
      options.onStateChange?.(ok, reason);
    },
  });
  const batch = createBatch<Job>({
    send,
    open: () => link.state() === 'up',
    inFlightMax: IN_FLIGHT_MAX,
    jobsMax: JOBS_MAX,
  });

  async function send(jobs: readonly Job[]): Promise<void> {
    const askedAt = now();
    const answer = await link.call(jobs.map(({ charges }) => charges)).catch(() => null);
    if (answer === null) return countHere(jobs);
    const answeredAt = now();
    for (const [index, { charges, settle }] of jobs.entries()) {
      const states = answer.groups[index] ?? [];
      if (states.some(({ allowed }) => !allowed)) refusals.learn(charges, states, askedAt, answeredAt);
      settle(states);
    }
    options.onCall?.(answer, (answeredAt - askedAt) / 1000);
  }

  /** The link has said why. Whether Redis counted a call before it went silent, nobody can know. */
  function countHere(jobs: readonly Job[]): void {
    for (const { charges, settle } of jobs) settle(fallback.consume(charges));
  }

  function health(): LimiterHealth {
    return { ok: link.state() === 'up', kind: 'redis', reason: link.reason() };
  }

  return {
    consume(charges) {
      if (charges.length === 0) return [];
      const state = link.state();
      if (state === 'down' || state === 'closed') return fallback.consume(charges);
      const refused = refusals.recall(charges, now());
      if (refused !== null) return refused;
      return new Promise((settle) => batch.add({ charges, settle }));
    },
    health,
    async close() {
      link.close();
      countHere(batch.drain());
    },
  };
}
