/** Who may use a row, before and after, compared by the tokens that pass rather than by the words of the cell. */
import { formatCell } from './cells.ts';
import type { Change, Verdict } from './diff-verdicts.ts';
import { holds } from './scopes.ts';
import type { Policy, Route } from './types.ts';

/** Whoever has no token is a kind of caller too. */
const nobody = 'nobody';

/** null: there is no such row, so nobody passes. */
export function compareCells(
  before: Policy,
  after: Policy,
  was: Route | null,
  is: Route | null,
): readonly Change[] {
  const callers = new Set([nobody, ...before.types.keys(), ...after.types.keys()]);
  const row = is?.id ?? was?.id ?? null;
  return [...callers].flatMap((caller): Change[] => {
    const verdict = verdictOf({ policy: before, route: was, caller }, { policy: after, route: is, caller });
    if (verdict === null) return [];
    return [{ verdict, row, what: `cell ${caller}`, from: cellText(was, caller), to: cellText(is, caller) }];
  });
}

type Side = { readonly policy: Policy; readonly route: Route | null; readonly caller: string };

/** null: the same tokens pass. */
function verdictOf(before: Side, after: Side): Verdict | null {
  const scopes = [...new Set([...scopesOf(before), ...scopesOf(after)])];
  // More scopes than anyone can look through: the words must do.
  if (scopes.length > 12)
    return cellText(before.route, before.caller) === cellText(after.route, after.caller) ? null : 'changed';
  let gained = false;
  let lost = false;
  let wereAny = false;
  let areAny = false;
  for (let choice = 0; choice < 2 ** scopes.length; choice++) {
    const held = scopes.filter((_, index) => (choice & (1 << index)) !== 0);
    const [passed, passes] = [lets(before, held), lets(after, held)];
    wereAny ||= passed;
    areAny ||= passes;
    gained ||= passes && !passed;
    lost ||= passed && !passes;
  }
  if (gained && lost) return 'changed';
  if (gained) return wereAny ? 'loosened' : 'opened';
  if (lost) return areAny ? 'tightened' : 'closed';
  return null;
}

/** Whether a token that was granted `held` passes; what its type no longer offers counts for nothing. */
function lets({ policy, route, caller }: Side, held: readonly string[]): boolean {
  if (route === null) return false;
  if (route.access === 'public') return true;
  const type = policy.types.get(caller);
  const cell = route.access.get(caller);
  if (type === undefined || cell === undefined) return false;
  const { scopes } = type;
  return holds(
    cell,
    'fixed' in scopes ? scopes.fixed : held.filter((scope) => scopes.grantable.includes(scope)),
  );
}

function scopesOf({ route, caller }: Side): readonly string[] {
  const cell = route === null || route.access === 'public' ? undefined : route.access.get(caller);
  return cell === undefined || cell.kind === 'any' ? [] : cell.scopes;
}

function cellText(route: Route | null, caller: string): string {
  if (route === null) return 'no row';
  if (route.access === 'public') return 'public';
  const cell = route.access.get(caller);
  return cell === undefined ? 'refused' : formatCell(cell);
}
