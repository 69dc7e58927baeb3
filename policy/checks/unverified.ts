/** Whether a row takes a credential that only the upstream can verify: it must say so, and ask nothing of a token. */
import { denial } from '../denial.ts';
import type { Denial, Route } from '../types.ts';

/** Of anything that would need a record, the answer is no: compilation refuses such rows before. */
export function checkUnverified(route: Route, type: string): Denial | null {
  const { access, id } = route;
  const cell = access === 'public' ? undefined : access.get(type);
  if (cell === undefined) return denial('type_not_allowed', `row ${id} does not name type ${type}`);
  if (cell.kind !== 'any') {
    const reason = `row ${id} asks for scopes, and nobody here knows those of type ${type}`;
    return denial('scope_missing', reason, { requiredScopes: cell.scopes });
  }
  const [bind] = route.bind;
  if (bind === undefined) return null;
  const reason = `row ${id} binds {${bind.param}}, and nothing is known of a token of type ${type}`;
  return denial('bind_mismatch', reason, { status: bind.refuseAs });
}
