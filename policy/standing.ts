/** Whether a token that was let through may still be at it: asked again and again while an answer is under way. */
import { checkState } from './checks/state.ts';
import { denial } from './denial.ts';
import type { TokenRecord } from './token-types.ts';
import type { Denial, Policy } from './types.ts';

/**
 * Its state, by the same check that lets requests through, and whether its type is still defined. Rows, scopes
 * and limits were judged when the request came.
 *
 * @param token the record as it is now; undefined: there is none any more.
 * @param now Unix ms.
 * @returns null: nothing against it.
 */
export function lostStanding(policy: Policy, token: TokenRecord | undefined, now: number): Denial | null {
  if (token === undefined) return denial('token_unknown', 'the record is gone');
  const type = policy.types.get(token.type);
  if (type === undefined) return denial('token_unknown', `type ${token.type} is gone`);
  if (type.verify !== undefined)
    return denial('token_unknown', `type ${token.type} is not verified here any more`);
  return checkState({ token, type, now });
}
