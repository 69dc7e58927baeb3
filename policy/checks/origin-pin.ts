/**
 * Whether a token that carries an origin list is used from one of them. A pin is a statement by
 * the caller: browsers keep it honest, anything else can say what it likes.
 */
import { denial } from '../denial.ts';
import { normaliseOrigin } from '../origin.ts';
import type { Denial } from '../types.ts';
import type { Question } from './question.ts';

/** `null` is a present value that is on no list. */
export function checkOriginPin({ match, facts, token }: Question): Denial | null {
  const pin = match.route.originPin;
  if (token.origins.length === 0 || pin === null) return null;
  if (facts.origin === null) {
    if (pin.whenMissing === 'allow') return null;
    return denial('origin_not_allowed', `${token.id} is pinned to origins and none was sent`);
  }
  const origin = normaliseOrigin(facts.origin);
  if (origin !== null && token.origins.includes(origin)) return null;
  return denial('origin_not_allowed', `${token.id} is pinned to other origins`);
}
