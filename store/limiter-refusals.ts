/**
 * Remembers which buckets Redis has just called empty, so that a flood of a limited caller costs no
 * call. Never stricter than Redis: what it cannot know for sure, it does not answer.
 */
import { LRUCache } from 'lru-cache';
import type { Charge, LimitState } from '../policy/types.ts';

export interface Refusals {
  /** What a refused group's answer taught. Times are monotonic ms: when it was asked and answered. */
  learn(charges: readonly Charge[], states: readonly LimitState[], askedAt: number, answeredAt: number): void;

  /**
   * The refusal of these charges, known without asking; null: ask. The limits that did not refuse are
   * reported as untouched: nobody looked.
   */
  recall(charges: readonly Charge[], now: number): readonly LimitState[] | null;
}

type Refusal = {
  readonly cost: number;
  readonly quota: number;
  readonly windowMs: number;
  readonly remaining: number;
  /** Until then Redis cannot answer otherwise. */
  readonly certainUntil: number;
  /** From then on the cost fits, if nobody else spends. */
  readonly freeAt: number;
  readonly resetAt: number;
};

const KEYS_MAX = 10_000;
/**
 * Redis is asked again this often, however long the wait: a flushed database, a deleted key or a
 * corrected clock shall free a caller here as soon as there.
 */
const CERTAIN_MS_MAX = 1000;

export function createRefusals(): Refusals {
  const refusals = new LRUCache<string, Refusal>({ max: KEYS_MAX });

  function known(charge: Charge, now: number): Refusal | null {
    const refusal = refusals.get(charge.key);
    if (refusal === undefined) return null;
    const { limit, cost } = charge;
    const same =
      refusal.quota === limit.quota && refusal.windowMs === limit.windowMs && refusal.cost === cost;
    return same && now < refusal.certainUntil ? refusal : null;
  }

  return {
    learn(charges, states, askedAt, answeredAt) {
      for (const [index, { key, limit, cost }] of charges.entries()) {
        const state = states[index];
        if (state === undefined || state.retryAfterMs <= 1 || isTwice(charges, key)) continue;
        // Redis judged between asking and answering, and rounded up to a ms: certain from the earliest …
        const certainMs = Math.min(state.retryAfterMs - 1, CERTAIN_MS_MAX);
        refusals.set(key, {
          cost,
          quota: limit.quota,
          windowMs: limit.windowMs,
          remaining: state.remaining,
          certainUntil: askedAt + certainMs,
          // … and free from the latest.
          freeAt: answeredAt + state.retryAfterMs,
          resetAt: answeredAt + state.resetMs,
        });
      }
    },

    recall(charges, now) {
      if (!charges.some((charge) => known(charge, now) !== null)) return null;
      return charges.map((charge) => stateOf(charge, known(charge, now), now));
    },
  };
}

function stateOf({ limit }: Charge, refusal: Refusal | null, now: number): LimitState {
  if (refusal === null) {
    return { limit, counted: true, allowed: true, remaining: limit.quota, resetMs: 0, retryAfterMs: 0 };
  }
  return {
    limit,
    counted: true,
    allowed: false,
    remaining: refusal.remaining,
    resetMs: Math.max(0, Math.ceil(refusal.resetAt - now)),
    retryAfterMs: Math.max(1, Math.ceil(refusal.freeAt - now)),
  };
}

/** Named twice in one request, a key was refused for more than one cost. */
function isTwice(charges: readonly Charge[], key: string): boolean {
  return charges.filter((charge) => charge.key === key).length > 1;
}
