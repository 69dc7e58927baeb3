/** From a row's `serve`, `with` and `confirm` to what it does; refuses what could reach another's tokens. */
import type { AnnotationType } from './annotation-types.ts';
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import { compileProbe } from './compile-serve-probe.ts';
import { checkBesides, checkCookies } from './compile-serve-row.ts';
import {
  callersOf,
  checkParam,
  checkSource,
  type ServeRow,
  type WithConfig,
} from './compile-serve-source.ts';
import { annotates } from './compile-type-keys.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowKey } from './config-rows.ts';
import type { RowConfig } from './config-schema.ts';
import { compileQuery } from './json-pointer.ts';
import { graceMsMax } from './serve.ts';
import type {
  AnsweredAttribute,
  ConfirmRule,
  ProbeOperation,
  ServeOperation,
  ServeRule,
  TokenRule,
} from './serve-types.ts';
import { checkAttributes } from './token-input.ts';
import type { TokenType } from './token-types.ts';
import { formatDuration } from './units.ts';

const overlapMsDefault = 86_400_000;

/** What `with` may say beside the type, and who it is for. */
const wordsOf: Readonly<Record<ServeOperation, readonly (keyof WithConfig)[]>> = {
  'token.create': ['attributes', 'scopes', 'expires_in'],
  'token.list': ['attributes'],
  'token.revoke': ['attributes', 'token'],
  'token.regenerate': ['attributes', 'scopes', 'grace'],
  'token.rotate': ['attributes', 'token', 'scopes', 'overlap'],
  'probe.activate': ['derive', 'active_max', 'expires_in', 'trigger_expires_in'],
  'probe.list': ['derive'],
  'probe.deactivate': ['derive'],
};
const times = ['grace', 'overlap', 'expires_in', 'trigger_expires_in'] as const;

type Known = {
  readonly types: ReadonlyMap<string, TokenType>;
  readonly annotations: ReadonlyMap<string, AnnotationType>;
};

/** null: the row is forwarded, or a mistake was reported. */
export function compileServe(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  { method, segments }: Pick<RowKey, 'method' | 'segments'>,
  { types, annotations }: Known,
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
    const [what, more] = isAboutProbes(row.serve)
      ? ['probes', 'derive: "{project}"']
      : ['tokens', 'attributes: { project: "{project}" }'];
    const hint = `write with: { type: TYPE, ${more} }`;
    errorInKey(at, [...path, 'serve'], `${row.serve} does not say which ${what} it is about`, hint);
    return null;
  }
  const known = resolves(at, 'token_types', row.with.type, [...path, 'with', 'type']);
  checkUnknownCallers(serving);
  checkCookies(at, path, row.serve, callersOf(row, types));
  checkWords(serving, row.with);
  if (isAboutProbes(row.serve)) {
    const rule = compileProbe(serving, row.serve, row.with, known, annotations);
    return rule === null ? null : { ...rule, confirm };
  }
  const tokenParam = compileToken(serving, row.with);
  const type = known && isIssued(serving, row.with.type) ? types.get(row.with.type) : undefined;
  if (type === undefined) return null;
  return {
    kind: 'token',
    operation: row.serve,
    type,
    ...compileAttributes(serving, row.with, type),
    scopes: compileScopes(serving, row.with, type),
    tokenParam,
    graceMsMax: row.with.grace ?? 0,
    overlapMs: row.with.overlap ?? overlapMsDefault,
    lifeMsMax: row.with.expires_in ?? null,
    confirm,
  };
}

function isAboutProbes(operation: ServeOperation): operation is ProbeOperation {
  return operation.startsWith('probe.');
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
  for (const key of Object.keys(written) as (keyof WithConfig)[]) {
    const saysNothing = key === 'attributes' && Object.keys(written.attributes).length === 0;
    if (key === 'type' || written[key] === undefined || saysNothing) continue;
    if (wordsOf[operation].includes(key)) continue;
    const users = Object.entries(wordsOf).filter(([, words]) => words.includes(key));
    const message = `${operation} knows no ${key}`;
    const hint = `remove it; it is for ${users.map(([name]) => name).join(', ')}`;
    errorInKey(at, [...path, 'with', key], message, hint);
  }
  for (const key of times) {
    if ((written[key] ?? 0) <= graceMsMax) continue;
    const hint = `write at most ${formatDuration(graceMsMax)}`;
    errorInValue(at, [...path, 'with', key], `${key} is too long a time`, hint);
  }
  if (written.expires_in === 0 && !isAboutProbes(operation)) {
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
): Pick<TokenRule, 'attributes' | 'answered'> {
  const answered: AnsweredAttribute[] = [];
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
      checkSource(serving, place, source, {
        ...rule,
        flawOf: (text) => {
          const checked = checkAttributes(type, new Map([[name, rule.list ? [text] : text]]));
          return checked.ok ? null : [checked.complaint.message, checked.complaint.hint];
        },
      });
    }
    const [only] = from;
    if (only?.kind === 'answer') {
      answered.push({ name, required: rule.required, pointer: only.pointer });
      return [];
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
  if (answered.length === 0) return { attributes: fixed, answered: null };
  const query = compileQuery(answered.map(({ pointer }) => pointer));
  return { attributes: fixed, answered: { attributes: answered, query } };
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
