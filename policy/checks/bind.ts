/** Whether path parameters are the token's own: tenant binding without code. */
import { denial } from '../denial.ts';
import type { AttributeValue } from '../token-types.ts';
import type { Denial } from '../types.ts';
import type { Question } from './question.ts';

/** Each bound `{x}` must equal the attribute, or be one of its items where it is a list. */
export function checkBind({ match, token }: Question): Denial | null {
  for (const bind of match.route.bind) {
    const asked = match.params.get(bind.param);
    const own = token.attributes.get(bind.attribute);
    if (asked !== undefined && own !== undefined && isOrHas(own, asked)) continue;
    return denial('bind_mismatch', `{${bind.param}} is not the token's ${bind.attribute}`, {
      status: bind.refuseAs,
    });
  }
  return null;
}

function isOrHas(own: AttributeValue, asked: string): boolean {
  return typeof own === 'string' ? own === asked : own.includes(asked);
}
