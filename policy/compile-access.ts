/** A row's cells, binds and limits against the token types: nothing unreachable, nothing undefined. */
import { type Compilation, errorInKey, errorInValue, isBroken, resolves } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import { suggest } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';
import type { TokenType } from './token-types.ts';
import type { Bind, Cell, Limit, Route, Segment } from './types.ts';

/** What a row is checked against. */
export type Known = {
  readonly types: ReadonlyMap<string, TokenType>;
  readonly limits: ReadonlyMap<string, Limit>;
  /** The api's `types`; null: not written, any type will do. */
  readonly apiTypes: readonly string[] | null;
};

export function compileAccess(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  known: Known,
): Route['access'] {
  if (row.allow === 'public') return 'public';
  const cells = Object.entries(row.allow);
  if (cells.length === 0) {
    const hint = 'write public, or a cell per token type: { project: events:write }';
    errorInValue(at, [...path, 'allow'], 'allow names no token type, so nobody could use the row', hint);
  }
  for (const [type, cell] of cells) {
    const where = [...path, 'allow', type];
    const whole = resolves(at, 'token_types', type, where, 'key');
    if (
      known.apiTypes !== null &&
      Object.hasOwn(at.config.token_types, type) &&
      !known.apiTypes.includes(type)
    ) {
      const hint = `add ${type} to types: of the api, or remove the cell`;
      errorInKey(at, where, `token type "${type}" is not among the types of this api`, hint);
    }
    checkCell(at, where, type, cell, whole ? known.types.get(type) : undefined);
  }
  return new Map(cells);
}

function checkCell(
  at: Compilation,
  where: ConfigPath,
  name: string,
  cell: Cell,
  type: TokenType | undefined,
): void {
  if (cell.kind === 'any' || type?.verify === 'upstream') return;
  for (const scope of cell.scopes) {
    if (!resolves(at, 'scopes', scope, where)) continue;
    if (type === undefined) continue;
    const holdable = 'fixed' in type.scopes ? type.scopes.fixed : type.scopes.grantable;
    if (holdable.includes(scope)) continue;
    const list = 'fixed' in type.scopes ? 'scopes' : 'grantable';
    const hint =
      holdable.length === 0
        ? `add ${scope} to scopes: or grantable: of token_types.${name}, or write any_scope`
        : `it may hold ${holdable.join(', ')}; add ${scope} to token_types.${name}.${list}, or change the cell`;
    errorInValue(at, where, `unreachable cell: no token of type "${name}" can ever hold "${scope}"`, hint);
  }
}

export function compileBinds(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  segments: readonly Segment[],
  known: Known,
): readonly Bind[] {
  const params = segments.flatMap((segment) => (segment.kind === 'literal' ? [] : [segment.name]));
  const binds: Bind[] = [];
  for (const [param, bind] of Object.entries(row.bind)) {
    const where = [...path, 'bind', param];
    const attribute = typeof bind === 'string' ? bind : bind.equals;
    const refuseAs = typeof bind === 'string' ? 403 : bind.else;
    if (!params.includes(param)) {
      const hint = suggest(param, params, `write {${param}} in the path, or remove the bind`);
      errorInKey(at, where, `the path has no parameter {${param}}`, hint);
    }
    if (row.allow === 'public') {
      const hint = 'remove bind, or allow token types instead of public';
      errorInKey(at, where, 'a public row has no token to bind to', hint);
    } else {
      for (const type of typesOf(row, known.types)) {
        if (type.attributes.has(attribute)) continue;
        const hint = `add ${attribute} to token_types.${type.name}.attributes, or give ${type.name} a row of its own`;
        errorInValue(at, where, `token type "${type.name}" has no attribute "${attribute}"`, hint);
      }
    }
    binds.push({ param, attribute, refuseAs });
  }
  return binds;
}

export function compileRowLimits(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  known: Known,
): readonly Limit[] {
  const limits: Limit[] = [];
  for (const [index, name] of row.limits.entries()) {
    const where = [...path, 'limits', index];
    if (row.limits.indexOf(name) !== index) {
      errorInValue(
        at,
        where,
        `limit "${name}" stands twice`,
        'remove one; a request is counted once per limit',
      );
    }
    if (!resolves(at, 'limits', name, where)) continue;
    const limit = known.limits.get(name);
    if (limit === undefined) continue;
    checkLimitKey(at, where, row, limit, known);
    limits.push(limit);
  }
  return limits;
}

function checkLimitKey(at: Compilation, where: ConfigPath, row: RowConfig, limit: Limit, known: Known): void {
  for (const part of limit.per) {
    if (part.kind !== 'token' && part.kind !== 'attribute') continue;
    const by = part.kind === 'token' ? 'token' : `attribute.${part.name}`;
    if (row.allow === 'public') {
      const hint = 'use a limit per: [address] on public rows';
      errorInValue(at, where, `limit "${limit.name}" counts per ${by}, and a public row has no token`, hint);
      continue;
    }
    if (part.kind === 'token') continue;
    for (const type of typesOf(row, known.types)) {
      if (type.attributes.get(part.name)?.required === true) continue;
      const message = `limit "${limit.name}" counts per ${by}, which token type "${type.name}" need not have`;
      const hint = `write ${part.name}: required under token_types.${type.name}.attributes, or use another limit`;
      errorInValue(at, where, message, hint);
    }
  }
}

/** The row's types that are defined and whole, and whose tokens Postern verifies. */
export function typesOf(row: RowConfig, types: ReadonlyMap<string, TokenType>): readonly TokenType[] {
  if (row.allow === 'public') return [];
  return Object.keys(row.allow)
    .flatMap((name) => types.get(name) ?? [])
    .filter(({ verify }) => verify === undefined);
}

/** The types whose sources an api reads: as written, else all that its rows name, in order of definition. */
export function apiTypeNames(
  at: Compilation,
  rows: Iterable<RowConfig>,
  written: readonly string[] | undefined,
): readonly string[] {
  if (written !== undefined) return written;
  const named = new Set<string>();
  for (const row of rows)
    if (row.allow !== 'public') for (const type of Object.keys(row.allow)) named.add(type);
  return Object.keys(at.config.token_types).filter(
    (type) => named.has(type) && !isBroken(at, 'token_types', type),
  );
}
