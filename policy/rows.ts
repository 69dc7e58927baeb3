/** From a path to one row of the matrix: 404 if no row has the path, 405 if none has the method. */
import { denied } from './denial.ts';
import type { Match, Outcome, Policy, RequestFacts, RowSet } from './types.ts';

/** Every row the path could mean, best first. `;` counts as a plain byte only where a row says so. */
export function rowSet(policy: Policy, facts: RequestFacts): Outcome<RowSet> {
  const rows = policy.find(facts.host, facts.path);
  if (facts.path.includes(';')) {
    const open = rows.filter(({ route }) => route.pathParameters);
    if (open.length === 0) return denied('path_ambiguous', '`;` in the path, and no row allows it');
    return { ok: true, value: open };
  }
  if (rows.length === 0) return denied('route_not_found', 'no row has this path');
  return { ok: true, value: rows };
}

/** The most specific row with the request's method; HEAD is judged by the GET row. */
export function chooseRow(rows: RowSet, facts: RequestFacts): Outcome<Match> {
  const method = facts.method === 'HEAD' ? 'GET' : facts.method;
  const match = rows.find(({ route }) => route.method === method);
  if (match !== undefined) return { ok: true, value: match };
  const allow = new Set<string>();
  for (const { route } of rows) {
    allow.add(route.method);
    if (route.method === 'GET') allow.add('HEAD');
  }
  return denied('method_not_allowed', `rows of this path have ${[...allow].join(', ')}`, {
    allow: [...allow].sort(),
  });
}
