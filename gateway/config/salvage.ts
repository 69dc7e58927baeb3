/**
 * Leaves out of a config what has the wrong shape, so that the rest can still be judged and every
 * problem is shown at once. What comes out is for finding problems, never for running.
 */
import * as v from 'valibot';
import type { ConfigPath } from '../../policy/config-problem.ts';
import { type FileConfig, fileSchema } from './schema.ts';

export type Salvage = { readonly config: FileConfig; readonly broken: readonly ConfigPath[] };

/** A change made to the copy: what was removed (or replaced), and whether its absence says something. */
type Cut = { readonly path: ConfigPath; readonly replacement: unknown };

const harmlessFixture = { name: 'left out', request: 'GET /', expect: 'forward' };
const roundsMax = 3;

/** null: too little is left to judge. */
export function salvage(value: unknown, issues: readonly v.BaseIssue<unknown>[]): Salvage | null {
  const copy: unknown = structuredClone(value);
  const broken: ConfigPath[] = [];
  let pending = issues;
  for (let round = 0; round < roundsMax; round++) {
    for (const issue of pending) {
      const path = (issue.path ?? []).map((item) => item.key as string | number);
      if (path.length === 0) return null;
      if (issue.type === 'never') {
        apply(copy, { path, replacement: undefined });
        continue;
      }
      const cut = cutFor(path);
      apply(copy, cut);
      broken.push(cut.path);
    }
    const result = v.safeParse(fileSchema, copy);
    if (result.success) return { config: result.output, broken };
    pending = result.issues;
  }
  return null;
}

/** The smallest part that can go without its neighbours losing their meaning. */
function cutFor(path: ConfigPath): Cut {
  const [section, , third] = path;
  switch (section) {
    case 'version':
      return { path: ['version'], replacement: 1 };
    case 'apis':
      if (path.length === 1) return { path, replacement: {} };
      if (path.length === 3 && third === 'routes') return { path, replacement: {} };
      if (path.length > 2) return { path: path.slice(0, third === 'routes' ? 4 : 3), replacement: undefined };
      return { path, replacement: undefined };
    case 'fixtures':
      if (path.length > 1) return { path: path.slice(0, 2), replacement: harmlessFixture };
      return { path, replacement: undefined };
    case 'token_types':
    case 'scopes':
    case 'cors':
    case 'pins':
    case 'limits':
    case 'errors':
    case 'upstreams':
      return { path: path.slice(0, 2), replacement: undefined };
    default:
      return { path: path.slice(0, 1), replacement: undefined };
  }
}

function apply(root: unknown, { path, replacement }: Cut): void {
  let holder = root;
  for (const key of path.slice(0, -1)) {
    if (typeof holder !== 'object' || holder === null) return;
    holder = Reflect.get(holder, key);
  }
  const last = path.at(-1);
  if (typeof holder !== 'object' || holder === null || last === undefined) return;
  if (replacement === undefined) Reflect.deleteProperty(holder, last);
  else Reflect.set(holder, last, replacement);
}
