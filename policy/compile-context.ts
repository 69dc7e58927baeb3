/** What every step of the compilation shares: the config, its surroundings, the problems so far. */
import { type ConfigPath, inKey, inValue, type ProblemList, suggest } from './config-problem.ts';
import type { PolicyConfig } from './config-schema.ts';

/** What the gateway says of a refusal where no style does. */
export type RefusalKind = {
  readonly status: number;
  /** The code callers see. */
  readonly outside: string;
  /** No row is known yet: worded as the apis of the host are. */
  readonly beforeRows: boolean;
};

/** What policy cannot know by itself. */
export type Surroundings = {
  /** Short digest of the config text. */
  readonly version: string;
  /** The cap of rows that name none, in bytes. */
  readonly bodyBytesMax: number;
  readonly redisConfigured: boolean;
  /** When it is compiled, in Unix ms: for warnings about dates alone. */
  readonly now: number;
  readonly upstreams: ReadonlySet<string>;
  /** Where reports of leaked tokens are taken; absent: nowhere. */
  readonly leaksPath?: string;
  /** Every refusal there is, by exact code. */
  readonly refusals: ReadonlyMap<string, RefusalKind>;
  /** Entries that were left out because their own shape is wrong: named, but unknown in detail. */
  readonly broken: readonly ConfigPath[];
};

export type NamedSection = 'token_types' | 'scopes' | 'limits' | 'cors' | 'pins' | 'errors';

export type Compilation = {
  readonly config: PolicyConfig;
  readonly around: Surroundings;
  readonly problems: ProblemList;
  /** What has been used by name, for the warnings about what has not: `limits/login`. */
  readonly used: Set<string>;
};

export function startCompilation(config: PolicyConfig, around: Surroundings): Compilation {
  return { config, around, problems: { errors: [], warnings: [] }, used: new Set() };
}

export function errorInValue(at: Compilation, path: ConfigPath, message: string, hint: string): void {
  at.problems.errors.push(inValue(path, message, hint));
}

export function errorInKey(at: Compilation, path: ConfigPath, message: string, hint: string): void {
  at.problems.errors.push(inKey(path, message, hint));
}

export function warnInKey(at: Compilation, path: ConfigPath, message: string, hint: string): void {
  at.problems.warnings.push(inKey(path, message, hint));
}

export function warnInValue(at: Compilation, path: ConfigPath, message: string, hint: string): void {
  at.problems.warnings.push(inValue(path, message, hint));
}

/** Whether an entry, or all that holds it, was left out for its shape. */
export function isBroken(at: Compilation, ...path: string[]): boolean {
  return at.around.broken.some(
    (broken) => broken.length <= path.length && broken.every((key, index) => key === path[index]),
  );
}

/** Whether anything at or below this path was left out. */
export function hasBroken(at: Compilation, ...path: string[]): boolean {
  return at.around.broken.some(
    (broken) => isBroken(at, ...path) || path.every((key, index) => key === broken[index]),
  );
}

const singular: Readonly<Record<NamedSection | 'upstreams', string>> = {
  token_types: 'token type',
  scopes: 'scope',
  limits: 'limit',
  cors: 'cors block',
  pins: 'pin',
  errors: 'error style',
  upstreams: 'upstream',
};

/** What people write for any scope, or for several, from elsewhere; null: it is none of that. */
function inScopeDialect(section: NamedSection | 'upstreams', name: string): string | null {
  if (section !== 'scopes') return null;
  if (/^(?:\*|any|all)$/.test(name)) return 'for any token of the type write any_scope';
  return name.includes(',') ? 'write "a + b" (both) or "a | b" (either)' : null;
}

/**
 * Marks a name as used and says whether it is defined and whole; reports it if nobody defined it.
 * A name whose definition is broken is not reported twice.
 */
export function resolves(
  at: Compilation,
  section: NamedSection | 'upstreams',
  name: string,
  path: ConfigPath,
  pointAt: 'key' | 'value' = 'value',
): boolean {
  at.used.add(`${section}/${name}`);
  const defined =
    section === 'upstreams' ? at.around.upstreams.has(name) : Object.hasOwn(at.config[section], name);
  if (isBroken(at, section, name)) return false;
  if (defined) return true;
  const names = section === 'upstreams' ? at.around.upstreams : Object.keys(at.config[section]);
  const hint = inScopeDialect(section, name) ?? suggest(name, names, `define it under ${section}:`);
  const report = pointAt === 'key' ? errorInKey : errorInValue;
  report(at, path, `unknown ${singular[section]} "${name}"`, hint);
  return false;
}
