/** Finds rows that would answer the same requests: same method, same shape, overlapping hosts. */
import type { CompiledRow } from './compile-rows.ts';
import { type ConfigProblem, inKey } from './config-problem.ts';
import { shapeOf } from './config-rows.ts';
import type { Route } from './types.ts';

type Claim = { readonly row: CompiledRow; readonly shape: string };

/** One problem per pair of rows, at the later one, naming both with their lines. */
export function findConflicts(rows: readonly CompiledRow[]): readonly ConfigProblem[] {
  const claims = new Map<string, Claim[]>();
  const reported = new Set<string>();
  const problems: ConfigProblem[] = [];
  for (const row of rows) {
    for (const { segments } of row.paths) {
      const shape = shapeOf(segments);
      const key = `${row.route.method} ${shape}`;
      const others = claims.get(key) ?? [];
      for (const other of others) {
        const pair = `${other.row.route.id}\n${row.route.id}`;
        if (other.row === row || reported.has(pair) || !hostsOverlap(other.row.route, row.route)) continue;
        reported.add(pair);
        problems.push(conflict(other.row, row, shape));
      }
      claims.set(key, [...others, { row, shape }]);
    }
  }
  return problems;
}

function conflict(first: CompiledRow, second: CompiledRow, shape: string): ConfigProblem {
  return inKey(
    second.configPath,
    (lineOf) =>
      `two rows answer ${second.route.method} /${shape}: ` +
      `${describe(first)} (line ${lineOf(first.configPath)}) and ` +
      `${describe(second)} (line ${lineOf(second.configPath)})`,
    'remove one, or give their apis hosts or prefixes that keep them apart',
  );
}

function describe({ route }: CompiledRow): string {
  return `"${route.method} ${route.pattern}" of api "${route.api}"`;
}

/** A named host beats none, so only two of a kind can meet. */
function hostsOverlap(a: Route, b: Route): boolean {
  if (a.hosts.length === 0 || b.hosts.length === 0) return a.hosts.length === b.hosts.length;
  return a.hosts.some((host) => b.hosts.includes(host));
}
