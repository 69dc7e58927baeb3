/** The config file, whole: text to a frozen policy and settings, or to every problem at once. Opens nothing but files. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import * as v from 'valibot';
import { type Compiled, compilePolicy } from '../../policy/compile.ts';
import type { Fixture } from '../../policy/compile-fixtures.ts';
import type { ConfigPath, ConfigProblem } from '../../policy/config-problem.ts';
import type { Policy } from '../../policy/types.ts';
import { refusalKinds } from '../refusals.ts';
import { type ConfigDocument, configBytesMax, type Position, readDocument } from './document.ts';
import { listsForMaps } from './lists.ts';
import {
  locateProblem,
  type Problem,
  problemFromFlaw,
  problemsFromIssues,
  sortProblems,
} from './problems.ts';
import { salvage } from './salvage.ts';
import { type FileConfig, fileSchema } from './schema.ts';
import { type Environment, resolveSettings, type Settings } from './settings.ts';

/** Everything the process runs with. The policy is frozen; a reload makes a new one of these. */
export type LoadedConfig = Settings & {
  readonly file: string;
  /** Of its text, in hex; the policy's version is how it begins. */
  readonly sha256: string;
  readonly policy: Policy;
  /** Not yet run; a failing one forbids the config. */
  readonly fixtures: readonly Fixture[];
  readonly warnings: readonly Problem[];
  /** Line and column of a config path, 1-based. */
  readonly positionOf: (path: ConfigPath, at?: 'key' | 'value') => Position;
  /** Makes a Problem of a mistake found after loading, such as a fixture that failed. */
  readonly problemAt: (problem: ConfigProblem) => Problem;
};

export type Loading =
  | { readonly ok: true; readonly config: LoadedConfig }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * `store`: for work beside a gateway, which needs no Redis, no upstream and no key to sign with; `keys`: the same, but
 * with those of signed token types; `shapes`: for what asks nobody, and only has to know what tokens look like.
 */
export type Need = 'everything' | 'store' | 'keys' | 'shapes';

/** Reads and judges a config file. Never throws for what the file holds or lacks. */
export function loadConfig(file: string, env: Environment, need: Need = 'everything'): Loading {
  let text: string;
  try {
    const { size } = statSync(file);
    text =
      size > configBytesMax
        ? ' '.repeat(configBytesMax + 1)
        : new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    return unreadable(file, error);
  }
  return loadConfigText(text, file, env, need);
}

/**
 * Judges a config's text. `file` is where it is from: names the problems' file, and relative paths
 * start at its folder.
 */
export function loadConfigText(
  text: string,
  file: string,
  env: Environment,
  need: Need = 'everything',
): Loading {
  const reading = readDocument(text);
  if (!reading.ok) return refuse(reading.flaws.map((flaw) => problemFromFlaw(file, flaw)));
  const { document } = reading;
  const sha256 = createHash('sha256').update(text).digest('hex');
  const version = sha256.slice(0, 12);
  const result = v.safeParse(fileSchema, document.value);
  const located = (problems: readonly ConfigProblem[]) =>
    problems.map((problem) => locateProblem(file, document, problem));
  const shape = result.success ? [] : problemsFromIssues(result.issues);
  const lists = listsForMaps(fileSchema, document.value);
  // What stands in such a list is of no shape at all: nothing more can be said of it.
  if (lists.length > 0) return refuse(located([...lists, ...shape.filter((one) => !isIn(one.path, lists))]));
  if (!result.success) {
    const rest = salvage(document.value, result.issues);
    if (rest === null) return refuse(located(shape));
    const { errors } = judge(rest.config, file, env, version, document, rest.broken);
    return refuse(located([...shape, ...errors]));
  }
  const judged = judge(result.output, file, env, version, document, []);
  const { settings, compiled, warnings } = judged;
  const errors =
    need === 'everything' || !compiled.ok
      ? judged.errors
      : judged.errors.filter(({ path }) => !isApart(path, need));
  if (!compiled.ok || errors.length > 0) return refuse(located(errors));
  return {
    ok: true,
    config: {
      ...settings,
      file,
      sha256,
      policy: compiled.policy,
      fixtures: compiled.fixtures,
      warnings: sortProblems(located([...warnings, ...compiled.warnings])),
      positionOf: document.positionOf,
      problemAt: (problem) => locateProblem(file, document, problem),
    },
  };
}

function isIn(path: ConfigPath, lists: readonly ConfigProblem[]): boolean {
  return lists.some((list) => list.path.every((key, index) => key === path[index]));
}

/** Whether a key is about what only the gateway itself reaches: whoever revokes a token at night may lack it. */
function isApart([section, sub, key, part]: ConfigPath, need: Need): boolean {
  if (need === 'shapes' && (section === 'store' || section === 'audit')) return true;
  if (need === 'shapes' && key === 'hash' && part === 'pepper') return true;
  if (section === 'token_types') return key === 'key' && need !== 'keys';
  if (section === 'admin') return sub === 'operators';
  return ['redis', 'upstreams', 'identity', 'alerts', 'leaks', 'telemetry'].includes(String(section));
}

type Judgement = {
  readonly settings: Settings;
  readonly compiled: Compiled;
  readonly errors: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
};

/** The cross rules of both halves. */
function judge(
  config: FileConfig,
  file: string,
  env: Environment,
  version: string,
  document: ConfigDocument,
  broken: readonly ConfigPath[],
): Judgement {
  const { settings, errors, warnings } = resolveSettings(config, file, env);
  const compiled = compilePolicy(config, {
    version,
    bodyBytesMax: settings.listen.bodyBytesMax,
    redisConfigured:
      typeof document.value === 'object' && document.value !== null && 'redis' in document.value,
    now: Date.now(),
    upstreams: new Set(Object.keys(config.upstreams)),
    ...(settings.leaks === null ? {} : { leaksPath: settings.leaks.path }),
    refusals: refusalKinds,
    broken,
  });
  return { settings, compiled, errors: compiled.ok ? errors : [...errors, ...compiled.errors], warnings };
}

function refuse(problems: readonly Problem[]): Loading {
  return { ok: false, problems: sortProblems(problems) };
}

function unreadable(file: string, error: unknown): Loading {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const [message, hint] =
    code === 'ENOENT'
      ? ['there is no such file', 'give the path of the config: --config gateway.config.yaml']
      : code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
        ? ['the file is not UTF-8 text', 'save it as UTF-8']
        : [
            `the file cannot be read${code === '' ? '' : ` (${code})`}`,
            'check that it is a file this user may read',
          ];
  return refuse([{ file, path: '', line: 1, column: 1, message, hint }]);
}
