/** Whether the token is alive: a canary, revoked, expired, retired, unused for too long, disabled or not yet valid. */
import { denial } from '../denial.ts';
import type { Denial } from '../types.ts';
import { isUnused } from '../unused.ts';
import type { Question } from './question.ts';

/**
 * Deadlines act at their millisecond: leeway is 0 (RFC 7519 §4.1.4 allows some; we take none). A canary stands for
 * nothing, whatever else is said of it.
 */
export function checkState({ token, type, now }: Pick<Question, 'token' | 'type' | 'now'>): Denial | null {
  if (token.canary === true) return denial('token_unknown', `${token.id} is a canary`);
  if (token.revokedAt !== null) return denial('token_revoked', `${token.id} was revoked`);
  if (token.expiresAt !== null && token.expiresAt <= now) {
    return denial('token_expired', `${token.id} has expired`);
  }
  if (token.retireAt !== null && token.retireAt <= now) {
    return denial('token_expired', `${token.id} was rotated and its overlap is over`);
  }
  if (isUnused(token, type, now)) {
    return denial('token_expired', `${token.id} was not used for as long as its type lets it be`);
  }
  if (token.disabledAt !== null) return denial('token_disabled', `${token.id} is disabled`);
  if (token.notBefore !== null && token.notBefore > now) {
    return denial('token_disabled', `${token.id} is not valid yet`);
  }
  return null;
}
