/** The matrix, by column: whether the row names this type of token at all. */
import { denial } from '../denial.ts';
import type { Denial } from '../types.ts';
import type { Question } from './question.ts';

export function checkType({ match, type }: Question): Denial | null {
  const { access, id } = match.route;
  if (access === 'public' || access.has(type.name)) return null;
  return denial('type_not_allowed', `row ${id} does not name type ${type.name}`);
}
