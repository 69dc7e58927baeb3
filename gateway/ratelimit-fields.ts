/** RateLimit and RateLimit-Policy (IETF httpapi draft): the tightest limit of the row speaks. */
import { tightest } from '../policy/limits.ts';
import type { LimitState } from '../policy/types.ts';
import type { Field } from './answer.ts';

/** Seconds on the wire, rounded up. No limit counted: no fields. */
export function rateLimitFields(states: readonly LimitState[]): readonly Field[] {
  const state = tightest(states);
  if (state === null) return [];
  const { limit } = state;
  const resetS = Math.max(0, Math.ceil((state.allowed ? state.resetMs : state.retryAfterMs) / 1000));
  return [
    ['RateLimit-Policy', `"${limit.name}";q=${limit.quota};w=${Math.ceil(limit.windowMs / 1000)}`],
    ['RateLimit', `"${limit.name}";r=${Math.max(0, state.remaining)};t=${resetS}`],
  ];
}
