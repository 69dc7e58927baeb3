/** From a cell of the matrix to the form that explains it: a request that the row is for, and a token that may make it. */
import type { TokenType } from '../../policy/token-types.ts';
import type { Cell, Policy, Route } from '../../policy/types.ts';
import { scopeSentence } from './dash-token-fields.ts';

/** `/explain?…` @param type who asks; null: nobody. */
export function explainPath(route: Route, type: TokenType | null): string {
  const { method, paths, hosts, access, bind } = route;
  const segments = (paths[0] ?? []).map((one) => (one.kind === 'literal' ? one.text : 'example'));
  const query = new URLSearchParams({ method, path: `/${segments.join('/')}` });
  const [host] = hosts;
  if (host !== undefined && !host.includes('*')) query.set('host', host);
  if (type === null) return `/explain?${query}`;
  query.set('as', type.name);
  const cell = access === 'public' ? undefined : access.get(type.name);
  if (cell !== undefined && !('fixed' in type.scopes)) {
    for (const scope of scopesFor(cell)) query.append('scope', scope);
  }
  for (const { attribute } of bind) {
    if (type.attributes.has(attribute)) query.append('attribute', `${attribute}=example`);
  }
  return `/explain?${query}`;
}

/** As few as will do. */
function scopesFor(cell: Cell): readonly string[] {
  switch (cell.kind) {
    case 'any':
      return [];
    case 'all':
      return cell.scopes;
    case 'either':
      return cell.scopes.slice(0, 1);
  }
}

/** What a cell asks, for whoever does not know how cells are written. */
export function cellSentence(policy: Policy, { name, scopes, verify }: TokenType, cell: Cell): string {
  if (verify === 'upstream') return `What looks like a ${name} token goes through: the upstream verifies it.`;
  if (cell.kind === 'any') return `Any ${name} token, whatever its scopes.`;
  const asked = cell.scopes.map((scope) => {
    const sentence = scopeSentence(policy, scope).trim();
    return sentence === '' ? scope : `${scope} (${sentence})`;
  });
  const [one = ''] = asked;
  const how = cell.kind === 'either' ? 'one of the scopes' : 'all of the scopes';
  const what = asked.length === 1 ? `the scope ${one}` : `${how} ${asked.join(', ')}`;
  const always = 'fixed' in scopes && cell.scopes.every((scope) => scopes.fixed.includes(scope));
  return `A ${name} token with ${what}.${always ? ' Each of them has it.' : ''}`;
}
