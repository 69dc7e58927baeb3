/** Words a config's problems for an operator, and puts them in the order of the file. */
import type * as v from 'valibot';
import { type ConfigPath, type ConfigProblem, nearest, suggest } from '../../policy/config-problem.ts';
import type { ConfigDocument, Flaw } from './document.ts';

/** One mistake as `check --json` prints it. `line` and `column` are 1-based. */
export type Problem = {
  readonly file: string;
  /** Where in the config: `apis.shop.routes['POST /ingest'].allow.project`; '' is the whole file. */
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What to write instead. */
  readonly hint: string;
};

type Issue = v.BaseIssue<unknown>;

/** `apis.shop.routes['POST /ingest'].limits[0]`. */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(key)) text += text === '' ? key : `.${key}`;
    else text += `['${key.replace(/[\\']/g, '\\$&')}']`;
  }
  return text;
}

/** For the terminal: `FILE:LINE:COLUMN PATH: MESSAGE; HINT`. */
export function formatProblem(problem: Problem): string {
  const place = problem.path === '' ? '' : ` ${problem.path}:`;
  return `${problem.file}:${problem.line}:${problem.column}:${place} ${problem.message}; ${problem.hint}`;
}

export function problemFromFlaw(file: string, flaw: Flaw): Problem {
  const { path, line, column, message, hint } = flaw;
  return { file, path: formatPath(path), line, column, message, hint };
}

/** A path of keys becomes a place in the file. */
export function locateProblem(file: string, document: ConfigDocument, problem: ConfigProblem): Problem {
  const { path, at, message, hint } = problem;
  const { line, column } = document.positionOf(path, at);
  const lineOf = (other: ConfigPath) => document.positionOf(other, 'key').line;
  const words = typeof message === 'string' ? message : message(lineOf);
  return { file, path: formatPath(path), line, column, message: words, hint };
}

/** By line, then column, then path; exact repeats once. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const unique = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return [...unique.values()].sort(
    (a, b) => a.line - b.line || a.column - b.column || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0),
  );
}

/** What a schema found, in an operator's words. */
export function problemsFromIssues(issues: readonly Issue[]): readonly ConfigProblem[] {
  return issues.flatMap((issue) => fromIssue(issue, []));
}

function fromIssue(issue: Issue, above: ConfigPath): readonly ConfigProblem[] {
  const items = issue.path ?? [];
  const path = [...above, ...items.map((item) => item.key as string | number)];
  const listAsMap = items.findIndex(({ type, input }) => type === 'object' && Array.isArray(input));
  if (listAsMap !== -1) {
    const holder = path.slice(0, above.length + listAsMap);
    return [
      { path: holder, at: 'value', message: 'expected a map, found a list', hint: 'write NAME: … lines' },
    ];
  }
  const last = items.at(-1);
  const at = last !== undefined && 'origin' in last && last.origin === 'key' ? 'key' : 'value';
  if (issue.type === 'union') return fromUnion(issue, path);
  if (issue.type === 'never') return [unknownKey(issue, path)];
  const [words = '', hint = ''] = issue.message.split('\n');
  if (issue.kind !== 'schema') return [{ path, at, message: words, hint }];
  if ((at === 'key' || issue.type === 'variant') && issue.received === 'undefined') return [missingKey(path)];
  return [wrongType(issue, path, words, hint)];
}

/**
 * An issue deeper than the union itself tells which alternative was meant: show that one. So does
 * a complaint about what a text says, once it is known to be a text. Else the union's own words, if it has any.
 */
function fromUnion(issue: Issue, path: ConfigPath): readonly ConfigProblem[] {
  const inner = issue.issues ?? [];
  const deep = inner.filter(({ path: below, kind }) => below !== undefined || kind !== 'schema');
  const asList = deep.filter(({ path: below }) => below?.[0].type === 'array');
  const meant = asList.length > 0 ? asList : deep;
  if (meant.length > 0) return meant.flatMap((deeper) => fromIssue(deeper, path));
  const [words = '', hint = ''] = issue.message.split('\n');
  if (!words.startsWith('Invalid ')) return [{ path, at: 'value', message: words, hint }];
  const hints = inner.map(({ message }) => message.split('\n')[1]).filter((hint) => hint !== undefined);
  const expected = inner.map((alternative) => kindName(alternative.expected)).join(' or ');
  const message = `expected ${expected}, found ${received(issue)}`;
  return [{ path, at: 'value', message, hint: hints[0] ?? `write ${expected}` }];
}

function unknownKey(issue: Issue, path: ConfigPath): ConfigProblem {
  const known = (issue.message.split('\n')[1] ?? '').split(' ');
  const key = String(path.at(-1));
  const hint = suggest(key, known, 'remove it');
  return { path, at: 'key', message: `unknown key "${key}"`, hint };
}

function missingKey(path: ConfigPath): ConfigProblem {
  const key = String(path.at(-1));
  return {
    path,
    at: 'key',
    message: `the key "${key}" is missing`,
    hint: missingHints[`${path[0]}.${key}`] ?? missingHints[key] ?? `write ${key}: …`,
  };
}

/** By key, or by section and key where two sections share one. */
const missingHints: Readonly<Record<string, string>> = {
  'pins.allow': 'write allow: [203.0.113.0/24]',
  'pins.from': 'write from: json:/app_id, or header:X-Bundle-Id',
  allow: 'write allow: public, or a cell per token type: allow: { project: events:write }',
  address: 'write address: 127.0.0.1:8081',
  equals: 'write equals: token.attribute.NAME',
  expect: 'write expect: forward, or the refusal: expect: 401 type_not_allowed',
  key: 'write key: { file: PATH }, or { env: NAME }',
  kind: 'write kind: origin, cidr for networks, or bundle_id',
  belongs_to: 'write belongs_to: attribute.NAME, or token',
  from: 'write from: json:/NAME, where the answer says it',
  on: 'write on: 2xx',
  pin: 'write pin: and the name of a pin of kind bundle_id',
  max: 'write max: 8MiB, or max: none',
  mode: 'write mode: monitor',
  name: 'write name: and what the fixture proves',
  origins: 'write origins: [https://app.example.com], or any',
  request: 'write request: METHOD /path',
  'leaks.keys':
    'write keys: { url: https://api.github.com/meta/public_keys/secret_scanning }, or keys: { file: PATH }',
  'apis.request': 'write request: "GET /PATH/{PARAMETER}", which the upstream answers with 2xx for a yes',
  to: 'write to: and the name of an upstream',
  type: 'write type: and the token type it is about',
  use: 'write use: sha256',
  when_missing: 'write when_missing: deny, or allow for clients that send no Origin',
  routes: 'write routes: with a row: POST /ingest: { allow: … }',
  rate: 'write rate: 600/1m',
  per: 'write per: [token] or per: [address]',
  until: 'write until: and the day from which it is enforced: until: 2026-03-01',
  header: 'write header: X-CSRF-Token',
  url: 'write url: http://127.0.0.1:9001',
  version: 'write version: 1',
  apis: 'write apis: with the rows that may be used; nothing is open by default',
};

function wrongType(issue: Issue, path: ConfigPath, words: string, hint: string): ConfigProblem {
  const own = !words.startsWith('Invalid ');
  if (own && words !== '') return { path, at: 'value', message: words, hint };
  if (issue.type === 'picklist' || issue.type === 'literal' || isKind(issue)) return notOneOf(issue, path);
  const expected = kindName(issue.expected);
  const message = `expected ${expected}, found ${received(issue)}`;
  return { path, at: 'value', message, hint: own ? hint : typeHint(issue, expected) };
}

/** A variant's complaint about its kind, not about what holds it. */
function isKind({ type, expected }: Issue): boolean {
  return type === 'variant' && expected !== 'Object';
}

function notOneOf(issue: Issue, path: ConfigPath): ConfigProblem {
  const options = [...(issue.expected ?? '').matchAll(/"([^"]*)"|([0-9]+)/g)].map(
    ([, word, digits]) => word ?? digits ?? '',
  );
  if (options.length === 1) {
    const [only = ''] = options;
    return {
      path,
      at: 'value',
      message: `expected ${only}, found ${received(issue)}`,
      hint: `write ${only}`,
    };
  }
  const near = typeof issue.input === 'string' ? nearest(issue.input, options) : null;
  const hint =
    near === null
      ? `write ${options.slice(0, -1).join(', ')} or ${options.at(-1)}`
      : `did you mean "${near}"?`;
  return { path, at: 'value', message: `${received(issue)} is not one of ${options.join(', ')}`, hint };
}

function typeHint(issue: Issue, expected: string): string {
  if (issue.expected === 'string' && ['number', 'boolean'].includes(typeof issue.input)) {
    return `put it in quotes: "${String(issue.input)}"`;
  }
  if (issue.expected === 'Array')
    return typeof issue.input === 'string' ? `write [${issue.input}]` : 'write [one, two]';
  return `write ${expected}`;
}

function kindName(expected: string | null): string {
  switch (expected) {
    case 'string':
      return 'a text';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    case 'Object':
      return 'a map';
    case 'Array':
      return 'a list';
    default:
      return (expected ?? 'something else').replaceAll('"', '');
  }
}

/** Never prints more than a glance of what was written: it may be a secret in the wrong place. */
function received({ input }: Issue): string {
  if (input === null || input === undefined) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a map';
  const text = String(input);
  if (/@|:\/\//.test(text)) return 'a url';
  const shown = text.length > 40 ? `${text.slice(0, 12)}…` : text;
  return typeof input === 'string' ? `"${shown}"` : shown;
}
