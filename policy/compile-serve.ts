/** From a row's `serve`, `with` and `confirm` to what it does; refuses what could reach another's tokens. */
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import { checkBesides, checkCookies } from './compile-serve-row.ts';
import { annotates } from './compile-type-keys.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowKey } from './config-rows.ts';
import type { RowConfig } from './config-schema.ts';
import { graceMsMax } from './serve.ts';
import type { ConfirmRule, ServedAttribute, ServedSource, ServeOperation, ServeRule } from './serve-types.ts';
import { checkAttributes } from './token-input.ts';
import type { TokenType } from './token-types.ts';
import { formatDuration } from './units.ts';

type WithConfig = NonNullable<RowConfig['with']>;

/** What every part of a `serve` row is checked against. */
type ServeRow = {
  readonly at: Compilation;
  readonly path: ConfigPath;
  readonly row: RowConfig;
  readonly operation: ServeOperation;
  /** Of one segment each. */
  readonly params: readonly string[];
  readonly types: ReadonlyMap<string, TokenType>;
};

const overlapMsDefault = 86_400_000;

/** What `with` may say beyond type and attributes, and who it is for. */
const wordsOf: Readonly<Record<ServeOperation, readonly (keyof WithConfig)[]>> = {
  'token.create': ['scopes', 'expires_in'],
  'token.list': [],
  'token.revoke': ['token'],
  'token.regenerate': ['scopes', 'grace'],
  'token.rotate': ['token', 'scopes', 'overlap'],
};

/** null: the row is forwarded, or a mistake was reported. */
export function compileServe(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  { method, segments }: Pick<RowKey, 'method' | 'segments'>,
  types: ReadonlyMap<string, TokenType>,
): ServeRule | null {
  if (row.serve === undefined) {
    for (const key of ['with', 'confirm'] as const) {
      if (row[key] === undefined) continue;
      const hint = `write serve: token.create (or another operation), or remove ${key}`;
      errorInKey(at, [...path, key], `${key} is for rows that serve`, hint);
    }
    return null;
  }
  const params = segments.flatMap((segment) => (segment.kind === 'param' ? [segment.name] : []));
  const serving: ServeRow = { at, path, row, operation: row.serve, params, types };
  checkBesides(at, path, row, row.serve, method);
  const confirm = compileConfirm(serving);
  if (row.with === undefined) {
    const hint = 'write with: { type: TYPE, attributes: { project: "{project}" } }';
    errorInKey(at, [...path, 'serve'], `${row.serve} does not say which tokens it is about`, hint);
    return null;
  }
  const where = [...path, 'with'];
  const known = resolves(at, 'token_types', row.with.type, [...where, 'type']);
  const type = known && isIssued(serving, row.with.type) ? types.get(row.with.type) : undefined;
  checkUnknownCallers(serving);
  checkCookies(at, path, row.serve, callersOf(row, types));
  checkWords(serving, row.with);
  const tokenParam = compileToken(serving, row.with);
  if (type === undefined) return null;
  return {
    operation: row.serve,
    type,
    attributes: compileAttributes(serving, row.with, type),
    scopes: compileScopes(serving, row.with, type),
    tokenParam,
    graceMsMax: row.with.grace ?? 0,
    overlapMs: row.with.overlap ?? overlapMsDefault,
    lifeMsMax: row.with.expires_in ?? null,
    confirm,
  };
}

/** What others issue, or nobody keeps, cannot be made or ended here. */
function isIssued({ at, path }: ServeRow, name: string): boolean {
  const type = at.config.token_types[name];
  if (type === undefined || (type.verify === undefined && !annotates(type))) return true;
  const hint = 'name a type without verify: upstream and format: signed';
  errorInValue(at, [...path, 'with', 'type'], `tokens of type "${name}" are not issued here`, hint);
  return false;
}

/** A token that the upstream verifies is a shape until it has: without asking it, anybody could make one up. */
function checkUnknownCallers({ at, path, row, types, operation }: ServeRow): void {
  if (row.confirm !== undefined) return;
  for (const { name, verify } of callersOf(row, types)) {
    if (verify !== 'upstream') continue;
    const message = `anybody could make up a token of type "${name}", which the upstream verifies, and use ${operation}`;
    const hint = 'write confirm: { to: UPSTREAM, request: "GET /…" }, so that the upstream is asked first';
    errorInKey(at, [...path, 'allow', name], message, hint);
  }
}

function compileConfirm({ at, path, row, params }: ServeRow): ConfirmRule | null {
  if (row.confirm === undefined) return null;
  const where = [...path, 'confirm'];
  const { to, request } = row.confirm;
  resolves(at, 'upstreams', to, [...where, 'to']);
  for (const segment of request) {
    if (segment.kind === 'literal' || params.includes(segment.name)) continue;
    const hint = suggest(segment.name, params, `write {${segment.name}} as a segment of the row's path`);
    errorInValue(at, [...where, 'request'], `the path has no parameter {${segment.name}}`, hint);
  }
  return { upstream: to, segments: request };
}

/** A key that another operation knows would be silently without effect. */
function checkWords({ at, path, operation }: ServeRow, written: WithConfig): void {
  for (const key of ['token', 'scopes', 'grace', 'overlap', 'expires_in'] as const) {
    if (written[key] === undefined || wordsOf[operation].includes(key)) continue;
    const users = Object.entries(wordsOf).filter(([, words]) => words.includes(key));
    const message = `${operation} knows no ${key}`;
    const hint = `remove it; it is for ${users.map(([name]) => name).join(', ')}`;
    errorInKey(at, [...path, 'with', key], message, hint);
  }
  for (const key of ['grace', 'overlap', 'expires_in'] as const) {
    if ((written[key] ?? 0) <= graceMsMax) continue;
    const hint = `write at most ${formatDuration(graceMsMax)}`;
    errorInValue(at, [...path, 'with', key], `${key} is too long a time`, hint);
  }
  if (written.expires_in === 0) {
    errorInValue(at, [...path, 'with', 'expires_in'], 'a token of no life is of no use', 'write 90d');
  }
}

function compileToken({ at, path, operation, params }: ServeRow, written: WithConfig): string | null {
  if (!wordsOf[operation].includes('token')) return null;
  const where = [...path, 'with'];
  if (written.token === undefined) {
    const hint = 'write token: "{PARAMETER}", the path parameter that holds the id';
    errorInKey(at, where, `${operation} does not say which token`, hint);
    return null;
  }
  checkParam(at, [...where, 'token'], written.token, params);
  return written.token;
}

function compileAttributes(
  serving: ServeRow,
  written: WithConfig,
  type: TokenType,
): readonly ServedAttribute[] {
  const { at, path, operation } = serving;
  const where = [...path, 'with', 'attributes'];
  const fixed = Object.entries(written.attributes).flatMap(([name, value]) => {
    const rule = type.attributes.get(name);
    if (rule === undefined) {
      const hint = suggest(name, type.attributes.keys(), `token type ${type.name} has no attributes`);
      errorInKey(at, [...where, name], `token type "${type.name}" has no attribute "${name}"`, hint);
      return [];
    }
    if (!rule.list && Array.isArray(value)) {
      errorInValue(at, [...where, name], `"${name}" is one text, not a list`, 'write one text');
      return [];
    }
    if (rule.list && operation === 'token.regenerate') {
      const message = `"${name}" is a list, so tokens that are also somebody else's would end`;
      errorInKey(at, [...where, name], message, 'fix an attribute that is one text');
      return [];
    }
    const from = Array.isArray(value) ? value : [value];
    for (const [index, source] of from.entries()) {
      const place = [...where, name, ...(Array.isArray(value) ? [index] : [])];
      checkSource(serving, place, source, { type, name, ...rule });
    }
    const passedOn = from.some(({ kind }) => kind === 'attribute');
    const mayLack = operation === 'token.create' && !rule.required && !rule.list && passedOn;
    return [{ name, list: rule.list, mayLack, from }];
  });
  for (const [name, rule] of type.attributes) {
    if (!rule.required || Object.hasOwn(written.attributes, name)) continue;
    const message = `${operation} leaves attribute "${name}" of type "${type.name}" open, so it is about everybody's`;
    errorInKey(at, [...path, 'with'], message, `write attributes: { ${name}: "{${name}}" }`);
  }
  return fixed;
}

type Target = {
  readonly type: TokenType;
  readonly name: string;
  readonly list: boolean;
  readonly required: boolean;
};

function checkSource(serving: ServeRow, where: ConfigPath, source: ServedSource, target: Target): void {
  const { at, row, params } = serving;
  if (source.kind === 'text') {
    const value = target.list ? [source.text] : source.text;
    const checked = checkAttributes(target.type, new Map([[target.name, value]]));
    if (!checked.ok) errorInValue(at, where, checked.complaint.message, checked.complaint.hint);
  } else if (source.kind === 'param') {
    checkParam(at, where, source.param, params);
    if (!params.includes(source.param) || isProved(row, source.param)) return;
    const message = `anybody who may use the row could name any {${source.param}}`;
    const hint = `write bind: { ${source.param}: token.attribute.NAME }, or confirm: { to: UPSTREAM, request: "GET /…/{${source.param}}" }`;
    errorInValue(at, where, message, hint);
  } else {
    checkOfCaller(serving, where, source.name, target);
  }
}

/** Whether somebody says that the caller may name this value: its own token, or the upstream. */
function isProved({ bind, confirm }: RowConfig, param: string): boolean {
  if (Object.hasOwn(bind, param)) return true;
  return confirm?.request.some((segment) => segment.kind === 'param' && segment.name === param) === true;
}

/** The types of the row, those that the upstream verifies too. */
function callersOf({ allow }: RowConfig, types: ReadonlyMap<string, TokenType>): readonly TokenType[] {
  return allow === 'public' ? [] : Object.keys(allow).flatMap((name) => types.get(name) ?? []);
}

/**
 * Every caller must have what `with` takes from it, in the shape in which it is needed. Only a new token can go without:
 * where tokens are looked for, one attribute less would find more of them.
 */
function checkOfCaller(serving: ServeRow, where: ConfigPath, name: string, { list, required }: Target): void {
  const { at, row, types, operation } = serving;
  const mayLack = operation === 'token.create' && !required && !list;
  for (const type of callersOf(row, types)) {
    const rule = type.attributes.get(name);
    if (rule !== undefined && (rule.required || mayLack) && (list || !rule.list)) continue;
    const lack =
      rule === undefined ? 'has no' : rule.required || mayLack ? 'has a list as' : 'need not have the';
    const apart = `give ${type.name} a row of its own`;
    const hint =
      type.verify === undefined
        ? `write ${name}: required under token_types.${type.name}.attributes, or ${apart}`
        : apart;
    errorInValue(at, where, `token type "${type.name}" ${lack} attribute "${name}"`, hint);
  }
}

function checkParam(at: Compilation, where: ConfigPath, param: string, params: readonly string[]): void {
  if (params.includes(param)) return;
  const hint = suggest(param, params, `write {${param}} as a segment of the path`);
  errorInValue(at, where, `the path has no parameter {${param}}`, hint);
}

/** A type whose tokens choose their scopes must be told which, or a caller would get what nobody wrote. */
function compileScopes(
  { at, path, operation }: ServeRow,
  { scopes }: WithConfig,
  type: TokenType,
): readonly string[] | 'caller' | null {
  const where = [...path, 'with', 'scopes'];
  if (!wordsOf[operation].includes('scopes')) return null;
  if ('fixed' in type.scopes) {
    if (scopes === undefined) return null;
    errorInKey(at, where, `the scopes of type "${type.name}" are fixed`, 'remove scopes');
    return null;
  }
  if (scopes === undefined) {
    const hint = `write scopes: [${type.scopes.grantable.slice(0, 1).join('')}], or scopes: [] for none`;
    errorInKey(at, [...path, 'with'], `${operation} does not say what the new token may do`, hint);
    return [];
  }
  if (scopes === 'caller') {
    if (operation === 'token.create') return scopes;
    const hint = 'write the scopes out: scopes: [a, b]';
    errorInValue(at, where, `${operation} cannot take its scopes from the caller`, hint);
    return [];
  }
  for (const [index, scope] of scopes.entries()) {
    if (type.scopes.grantable.includes(scope)) continue;
    const hint = suggest(scope, type.scopes.grantable, `token type ${type.name} holds no scopes`);
    errorInValue(at, [...where, index], `no token of type "${type.name}" can hold "${scope}"`, hint);
  }
  return [...new Set(scopes)];
}
