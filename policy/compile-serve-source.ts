/** Where the values of a `serve` row come from, and who says that a caller may name them. */
import { type Compilation, errorInValue } from './compile-context.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';
import type { ServedSource, ServeOperation } from './serve-types.ts';
import type { TokenType } from './token-types.ts';

export type WithConfig = NonNullable<RowConfig['with']>;

/** What every part of a `serve` row is checked against. */
export type ServeRow = {
  readonly at: Compilation;
  readonly path: ConfigPath;
  readonly row: RowConfig;
  readonly operation: ServeOperation;
  /** Of one segment each. */
  readonly params: readonly string[];
  readonly types: ReadonlyMap<string, TokenType>;
};

/** What a source is to become. */
export type Target = {
  readonly list: boolean;
  /** Whether what it is for cannot do without. */
  readonly required: boolean;
  /** Why a text that stands in the config cannot be it; null: it can. */
  readonly flawOf: (text: string) => readonly [message: string, hint: string] | null;
};

/** @param where of the source. */
export function checkSource(
  serving: ServeRow,
  where: ConfigPath,
  source: ServedSource,
  target: Target,
): void {
  const { at, row, params } = serving;
  if (source.kind === 'text') {
    const flaw = target.flawOf(source.text);
    if (flaw !== null) errorInValue(at, where, ...flaw);
  } else if (source.kind === 'param') {
    checkParam(at, where, source.param, params);
    if (!params.includes(source.param) || isProved(row, source.param)) return;
    const message = `anybody who may use the row could name any {${source.param}}`;
    const hint = `write bind: { ${source.param}: token.attribute.NAME }, or confirm: { to: UPSTREAM, request: "GET /…/{${source.param}}" }`;
    errorInValue(at, where, message, hint);
  } else if (source.kind === 'answer') {
    checkAnswered(serving, where, target);
  } else {
    checkOfCaller(serving, where, source.name, target);
  }
}

/** Only a new token gets what the upstream says: where tokens are looked for, the path and the caller say whose. */
function checkAnswered({ at, row, operation }: ServeRow, where: ConfigPath, { list }: Target): void {
  if (operation !== 'token.create') {
    const hint = 'write a path parameter, token.attribute.NAME or a text';
    errorInValue(at, where, `${operation} is not about what an answer says`, hint);
  } else if (row.confirm === undefined) {
    const hint = 'write confirm: { to: UPSTREAM, request: "GET /…" }';
    errorInValue(at, where, 'no upstream is asked that could say it', hint);
  } else if (list) {
    errorInValue(at, where, 'a list is not read from an answer', 'name an attribute that is one text');
  }
}

/** Whether somebody says that the caller may name this value: its own token, or the upstream. */
function isProved({ bind, confirm }: RowConfig, param: string): boolean {
  if (Object.hasOwn(bind, param)) return true;
  return confirm?.request.some((segment) => segment.kind === 'param' && segment.name === param) === true;
}

/** The types of the row, those that the upstream verifies too. */
export function callersOf({ allow }: RowConfig, types: ReadonlyMap<string, TokenType>): readonly TokenType[] {
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

export function checkParam(
  at: Compilation,
  where: ConfigPath,
  param: string,
  params: readonly string[],
): void {
  if (params.includes(param)) return;
  const hint = suggest(param, params, `write {${param}} as a segment of the path`);
  errorInValue(at, where, `the path has no parameter {${param}}`, hint);
}
