/**
 * The prepared matcher: from host and raw path to every row they could mean, best first.
 * A tree by path segment, built once; what it costs depends on the path's depth, not on how many
 * rows there are. Never decodes a path before matching, never folds case or slashes.
 */
import type { Match, Policy, Route, RowSet, Segment } from './types.ts';

/** One path a row answers to: its pattern under one of its api's prefixes. */
export type RowPath = { readonly route: Route; readonly segments: readonly Segment[] };

type Param = { readonly name: string; readonly index: number; readonly rest: boolean };
type Leaf = { readonly route: Route; readonly params: readonly Param[] };
type Leaves = {
  readonly named: Map<string, Leaf[]>;
  readonly anyHost: Leaf[];
  /** One list per wording: leaves that name their parameters alike hold the same one, and no other node's do. */
  readonly wordings: (readonly Param[])[];
};
type Branch = {
  readonly literals: Map<string, Branch>;
  param: Branch | null;
  rest: Leaves | null;
  here: Leaves | null;
};

/** One look-up under way. `starts[i]` is where segment i of the path begins: the same on every branch. */
type Search = {
  readonly host: string;
  readonly path: string;
  readonly starts: number[];
  readonly found: Match[];
  /** What the last match was read by, and what was read: rows of one path that differ in method read it once. */
  readBy: readonly Param[];
  read: ReadonlyMap<string, string>;
};

const noParams: ReadonlyMap<string, string> = new Map();
const noWording: readonly Param[] = Object.freeze([]);
const noRows: RowSet = Object.freeze([]);

/**
 * Prepares `Policy.find`. Order of the result: compared segment by segment from the left, literal
 * before `{x}` before `{x...}`; where the path is the same, a row that names the host comes first.
 * A row that matches under two prefixes appears once, by its better reading.
 */
export function prepareMatcher(rows: readonly RowPath[]): Policy['find'] {
  const root = newBranch();
  for (const row of rows) plant(root, row);
  return (host, path) => {
    if (path.charCodeAt(0) !== 47) return noRows;
    const search: Search = { host, path, starts: [], found: [], readBy: noWording, read: noParams };
    collect(root, 1, 0, search);
    return search.found;
  };
}

function newBranch(): Branch {
  return { literals: new Map(), param: null, rest: null, here: null };
}

function plant(root: Branch, { route, segments }: RowPath): void {
  const params: Param[] = [];
  let branch = root;
  for (const [index, segment] of segments.entries()) {
    if (segment.kind === 'literal') {
      const next = branch.literals.get(segment.text) ?? newBranch();
      branch.literals.set(segment.text, next);
      branch = next;
      continue;
    }
    params.push({ name: segment.name, index, rest: segment.kind === 'rest' });
    if (segment.kind === 'rest') {
      branch.rest ??= newLeaves();
      addLeaf(branch.rest, route, params);
      return;
    }
    branch.param ??= newBranch();
    branch = branch.param;
  }
  branch.here ??= newLeaves();
  addLeaf(branch.here, route, params);
}

function newLeaves(): Leaves {
  return { named: new Map(), anyHost: [], wordings: [] };
}

function addLeaf(leaves: Leaves, route: Route, params: readonly Param[]): void {
  const leaf = { route, params: wordingOf(leaves, params) };
  if (route.hosts.length === 0) leaves.anyHost.push(leaf);
  for (const host of route.hosts) {
    const named = leaves.named.get(host);
    if (named === undefined) leaves.named.set(host, [leaf]);
    else named.push(leaf);
  }
}

/** At one node parameters stand in the same places: only their names can differ. */
function wordingOf({ wordings }: Leaves, params: readonly Param[]): readonly Param[] {
  if (params.length === 0) return noWording;
  const known = wordings.find((wording) => wording.every(({ name }, index) => name === params[index]?.name));
  if (known !== undefined) return known;
  wordings.push(params);
  return params;
}

/**
 * Depth first, best branch first: the order of visits is the order of the answer. Each node of the tree has
 * one depth, so it is entered at most once per path and backtracking stays linear in the tree.
 */
function collect(branch: Branch, from: number, depth: number, search: Search): void {
  const { path, starts } = search;
  starts[depth] = from;
  const slash = path.indexOf('/', from);
  const to = slash === -1 ? path.length : slash;
  const literal = branch.literals.get(path.slice(from, to));
  if (literal !== undefined) step(literal, slash, depth, search);
  if (branch.param !== null && to > from) step(branch.param, slash, depth, search);
  if (branch.rest !== null && from < path.length) pick(branch.rest, search);
}

function step(next: Branch, slash: number, depth: number, search: Search): void {
  if (slash !== -1) collect(next, slash + 1, depth + 1, search);
  else if (next.here !== null) pick(next.here, search);
}

function pick(leaves: Leaves, search: Search): void {
  const named = leaves.named.size === 0 ? undefined : leaves.named.get(search.host);
  if (named !== undefined) for (const leaf of named) take(leaf, search);
  for (const leaf of leaves.anyHost) take(leaf, search);
}

function take(leaf: Leaf, search: Search): void {
  const { route } = leaf;
  for (const match of search.found) if (match.route === route) return;
  if (leaf.params !== search.readBy) {
    search.read = readParams(leaf.params, search);
    search.readBy = leaf.params;
  }
  search.found.push({ route, params: search.read });
}

function readParams(params: readonly Param[], { path, starts }: Search): ReadonlyMap<string, string> {
  if (params === noWording) return noParams;
  const values = new Map<string, string>();
  for (const { name, index, rest } of params) {
    const next = rest ? undefined : starts[index + 1];
    values.set(name, decodeOnce(path.slice(starts[index], next === undefined ? path.length : next - 1)));
  }
  return values;
}

/** The path grammar has been judged before; what still does not decode keeps its raw text. */
function decodeOnce(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
