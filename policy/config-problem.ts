/** How the config's mistakes are told: where (a path of keys), what is wrong, what to write instead. */

export type ConfigPath = readonly (string | number)[];

/**
 * One mistake. Policy knows keys, not lines: a message that must name the line of another key is
 * a function, and whoever holds the document calls it.
 */
export type ConfigProblem = {
  readonly path: ConfigPath;
  /** Whether to point at the key or at what it holds. */
  readonly at: 'key' | 'value';
  readonly message: string | ((lineOf: (path: ConfigPath) => number) => string);
  /** What to write instead. */
  readonly hint: string;
};

/** Errors forbid the config; warnings go with it. */
export type ProblemList = { readonly errors: ConfigProblem[]; readonly warnings: ConfigProblem[] };

/** A small text read, or why it cannot be. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly hint: string };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function unreadable(
  message: string,
  hint: string,
): { readonly ok: false; readonly message: string; readonly hint: string } {
  return { ok: false, message, hint };
}

/** A mistake in what a key holds. */
export function inValue(path: ConfigPath, message: ConfigProblem['message'], hint: string): ConfigProblem {
  return { path, at: 'value', message, hint };
}

/** A mistake in the key itself, or in what is missing under it. */
export function inKey(path: ConfigPath, message: ConfigProblem['message'], hint: string): ConfigProblem {
  return { path, at: 'key', message, hint };
}

/**
 * The candidate a person most likely meant: fewest edits (insert, delete, replace, swap of
 * neighbours), at most a third of the longer name; null: none is near.
 */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestEdits = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const allowed = Math.max(1, Math.floor(Math.max(name.length, candidate.length) / 3));
    if (Math.abs(name.length - candidate.length) > allowed) continue;
    const edits = editsBetween(name.toLowerCase(), candidate.toLowerCase());
    if (edits <= allowed && edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** `did you mean "x"?`, or the names there are. */
export function suggest(name: string, candidates: Iterable<string>, whereNone: string): string {
  const names = [...candidates];
  const near = nearest(name, names);
  if (near !== null) return `did you mean "${near}"?`;
  if (names.length === 0) return whereNone;
  const shown = names.slice(0, 16).join(', ');
  return `known here: ${shown}${names.length > 16 ? ', …' : ''}`;
}

/** Optimal string alignment distance. */
function editsBetween(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, at(beforeLast, j - 2) + 1);
      }
      row.push(edits);
    }
    beforeLast = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
