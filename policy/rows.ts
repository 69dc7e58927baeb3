/** From a path to one row of the matrix: 404 if no row has the path, 405 if none has the method. */
import { denied } from './denial.ts';
import type { Match, Outcome, Policy, RequestFacts, RowSet } from './types.ts';

/** Escapes of what a row's literal may hold unescaped (RFC 3986 §2.2). */
const escapedLiteral = /%(?:2[1467-9a-c]|3[ad]|40)/gi;

/**
 * Every row the path could mean, best first. `;` counts as a plain byte only where a row says so: rows of a method whose best does not are
 * none, for a laxer one behind it must not answer for it. A path that an upstream may read as another one, to which other rows answer, is
 * refused: `/items/all%3Apurge` beside `/items/{id}` and `/items/all:purge`.
 */
export function rowSet(policy: Policy, facts: RequestFacts): Outcome<RowSet> {
  const rows = policy.find(facts.host, facts.path);
  if (rows.length > 0 && /[%;]/.test(facts.path) && !isReadAlike(policy, facts, rows)) {
    return denied(
      'path_ambiguous',
      'escape or `;` that leads to another row for whoever decodes or drops it',
    );
  }
  if (facts.path.includes(';')) {
    const open = rows.filter(({ route }) => bestOf(rows, route.method)?.route.pathParameters);
    if (open.length === 0) return denied('path_ambiguous', '`;` in the path, and no row allows it');
    return { ok: true, value: open };
  }
  if (rows.length === 0) return denied('route_not_found', 'no row has this path');
  return { ok: true, value: rows };
}

/** The most specific row with the request's method; HEAD is judged by the GET row. */
export function chooseRow(rows: RowSet, facts: RequestFacts): Outcome<Match> {
  const method = facts.method === 'HEAD' ? 'GET' : facts.method;
  const match = bestOf(rows, method);
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

function bestOf(rows: RowSet, method: string): Match | undefined {
  return rows.find(({ route }) => route.method === method);
}

/**
 * Whether just `rows` answer, in their order, where every escape is decoded, and where every `;` is dropped with what follows it as well,
 * and with a segment that nothing is left of: `/files/;` is `/files/` to some, which may be no row's. Readings in between have no other
 * rows: a segment that keeps an escape or `;` is no literal.
 */
function isReadAlike({ find }: Policy, { host, path }: RequestFacts, rows: RowSet): boolean {
  const decoded = path.replace(escapedLiteral, decodeURIComponent);
  const bare = decoded.replace(/;[^/]*/g, '').replace(/\/{2,}/g, '/');
  const readings = [decoded, bare];
  // Only where dropping has left it: a path that ends so has rows of its own.
  if (bare.endsWith('/') && !path.endsWith('/')) readings.push(bare.slice(0, -1));
  return readings.every((reading) => reading === path || isSame(rows, find(host, reading)));
}

function isSame(rows: RowSet, others: RowSet): boolean {
  return others.length === rows.length && rows.every(({ route }, at) => route === others[at]?.route);
}
