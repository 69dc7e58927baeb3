/**
 * What a change of config does to callers: which cells open and close, which limits and pins loosen and tighten.
 * Compares what requests would meet, not how it is written: a new row is compared with the row that served its
 * path before, and a cell by whom it lets in, so that moving text around is no change and a wider type is one.
 */
import { compareCells } from './diff-cells.ts';
import { compareRules } from './diff-rules.ts';
import { compareStyles } from './diff-styles.ts';
import { compareTypes } from './diff-types.ts';
import { compareValues, plainOf } from './diff-values.ts';
import type { Change } from './diff-verdicts.ts';
import type { Policy, Route, Segment } from './types.ts';

/** In the order of the new config's rows, then what only the old one had. Empty: callers notice nothing. */
export function diffPolicies(before: Policy, after: Policy): readonly Change[] {
  const changes: Change[] = [];
  for (const place of placesOf(after, before)) {
    const was = rowAt(before, place);
    const is = rowAt(after, place);
    if (was === null && is === null) continue;
    changes.push(...compareCells(before, after, was, is));
    if (was !== null && is !== null) changes.push(...compareRules(was, is));
  }
  for (const name of union(before.types.keys(), after.types.keys())) {
    const [was, is] = [before.types.get(name), after.types.get(name)];
    if (was === undefined) changes.push(about(`type ${name}`, 'none', 'defined'));
    else if (is === undefined) changes.push(about(`type ${name}`, 'defined', 'none'));
    else changes.push(...compareTypes(was, is));
  }
  const rest = ({ identity, failureBudget, scopes, annotations }: Policy) => {
    return { identity, failureBudget, scopes, annotations };
  };
  changes.push(...compareValues(null, '', rest(before), rest(after)));
  changes.push(...compareStyles(before, after, anyHost));
  return once(changes);
}

function about(what: string, from: string, to: string): Change {
  return { verdict: 'changed', row: null, what, from, to };
}

/** One way to reach a row: what a caller would ask for. */
type Place = { readonly method: string; readonly host: string; readonly path: string };

/** Every way to reach every row of either policy. */
function placesOf(...policies: readonly Policy[]): readonly Place[] {
  const places = new Map<string, Place>();
  for (const { routes } of policies) {
    for (const { method, hosts, paths } of routes) {
      for (const host of hosts.length === 0 ? [anyHost] : hosts) {
        for (const segments of paths) {
          for (const path of samplePaths(segments)) {
            places.set(`${method} ${host}${path}`, { method, host, path });
          }
        }
      }
    }
  }
  return [...places.values()];
}

/** A host no config names, and a segment no row spells out. */
const anyHost = 'any-host.invalid';
const anySegment = '~any~';

/** One path, or two of them where the pattern ends in `{x...}`: that takes more than one segment. */
function samplePaths(segments: readonly Segment[]): readonly string[] {
  const texts = segments.map((segment) => (segment.kind === 'literal' ? segment.text : anySegment));
  const path = `/${texts.join('/')}`;
  return segments.at(-1)?.kind === 'rest' ? [path, `${path}/${anySegment}`] : [path];
}

function rowAt(policy: Policy, { method, host, path }: Place): Route | null {
  return policy.find(host, path).find(({ route }) => route.method === method)?.route ?? null;
}

function union<T>(...lists: readonly Iterable<T>[]): readonly T[] {
  return [...new Set(lists.flatMap((list) => [...list]))];
}

function once(changes: readonly Change[]): readonly Change[] {
  return [...new Map(changes.map((change) => [JSON.stringify(plainOf(change)), change])).values()];
}
