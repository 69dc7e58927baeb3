/**
 * Whether a request comes from a page that the row lists. It needs no token: public rows ask it too. As every Origin
 * it is a statement by the caller: browsers keep it honest, anything else can say what it likes.
 */
import { denial } from '../denial.ts';
import { normaliseOrigin } from '../origin.ts';
import type { Denial } from '../types.ts';
import type { Question } from './question.ts';

/** `null`, an empty one and what is no origin are present values that are on no list. */
export function checkOriginList({ match, facts }: Pick<Question, 'match' | 'facts'>): Denial | null {
  const { originList } = match.route;
  if (originList === undefined) return null;
  const { name, allow, whenMissing } = originList;
  if (facts.origin === null) {
    if (whenMissing === 'allow') return null;
    return denial('origin_not_allowed', `pin ${name} asks for an Origin, and none was sent`);
  }
  const origin = normaliseOrigin(facts.origin);
  if (origin !== null && allow.includes(origin)) return null;
  return denial('origin_not_allowed', `pin ${name} does not list this origin`);
}
