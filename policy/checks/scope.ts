/** The matrix, by cell: whether the token holds what the row asks of its type. */
import { denial } from '../denial.ts';
import { holds } from '../scopes.ts';
import type { Denial } from '../types.ts';
import type { Question } from './question.ts';

export function checkScopes({ match, type, scopes }: Question): Denial | null {
  const { access, id } = match.route;
  if (access === 'public') return null;
  const cell = access.get(type.name);
  if (cell === undefined) return denial('type_not_allowed', `row ${id} does not name type ${type.name}`);
  if (holds(cell, scopes)) return null;
  const required = cell.kind === 'any' ? [] : cell.scopes;
  const joined = required.join(cell.kind === 'either' ? ' | ' : ' + ');
  return denial(
    'scope_missing',
    `row ${id} asks for ${joined}; the token holds ${scopes.join(' ') || 'none'}`,
    {
      requiredScopes: required,
    },
  );
}
