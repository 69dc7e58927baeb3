/** Where the values of learned and ended tokens come from; refuses what a caller could choose to be somebody else. */
import { type Compilation, errorInKey, errorInValue } from './compile-context.ts';
import type { LearnedConfig } from './config-observe.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';
import { isReserved } from './identity.ts';
import type { ObservedAttribute, ObservedSource, ObservedValue } from './observe-types.ts';
import type { ServedSource } from './serve-types.ts';
import { checkAttributes } from './token-input.ts';
import type { TokenType } from './token-types.ts';
import type { IdentityRule } from './types.ts';

/** What every entry of a row is checked against. */
export type ObserveRow = {
  readonly at: Compilation;
  readonly row: RowConfig;
  /** Of one segment each. */
  readonly params: readonly string[];
  readonly types: ReadonlyMap<string, TokenType>;
  readonly identity: IdentityRule;
  /** Where answers of this row hold tokens: their pointers. */
  readonly secrets: ReadonlySet<string>;
};

/** Those of them that the type has, with all mistakes reported. @param needed beside the required ones. */
export function compileAttributes(
  observing: ObserveRow,
  where: ConfigPath,
  written: LearnedConfig['attributes'],
  type: TokenType,
  needed: readonly string[],
): readonly ObservedAttribute[] {
  const { at } = observing;
  return Object.entries(written).flatMap(([name, value]) => {
    const rule = type.attributes.get(name);
    if (rule === undefined) {
      const hint = suggest(name, type.attributes.keys(), `token type ${type.name} has no attributes`);
      errorInKey(at, [...where, name], `token type "${type.name}" has no attribute "${name}"`, hint);
      return [];
    }
    const place = [...where, name];
    checkSource(observing, place, value.from);
    checkDecides(at, place, name, value, rule.required ? type : null);
    checkAmong(at, place, value);
    if (needed.includes(name)) checkThere(at, place, value);
    for (const text of textsOf(value)) {
      const checked = checkAttributes(type, new Map([[name, rule.list ? [text] : text]]));
      if (!checked.ok) errorInValue(at, place, checked.complaint.message, checked.complaint.hint);
    }
    return [{ ...value, name, list: rule.list, needed: rule.required || needed.includes(name) }];
  });
}

function textsOf({ from, otherwise, among }: ObservedValue): readonly string[] {
  const own = from.kind === 'text' ? [from.text] : [];
  return [...own, ...(otherwise === null ? [] : [otherwise]), ...(among ?? [])];
}

export function checkSource(observing: ObserveRow, where: ConfigPath, source: ObservedSource): void {
  const { at, params, identity } = observing;
  if (source.kind === 'json') checkNoSecret(observing, where, source.pointer);
  if (source.kind === 'param' && !params.includes(source.param)) {
    const hint = suggest(source.param, params, `write {${source.param}} as a segment of the path`);
    errorInValue(at, where, `the path has no parameter {${source.param}}`, hint);
  } else if (source.kind === 'attribute') {
    checkOfCaller(observing, where, source.name);
  } else if (source.kind === 'header' && isReserved(identity, source.name)) {
    const message = `the header ${source.name} is an identity header, removed before it is read`;
    errorInValue(at, where, message, 'choose a name that Postern does not reserve');
  } else if (source.kind === 'header') {
    for (const [type, { sources }] of Object.entries(at.config.token_types)) {
      if (!sources.some((own) => own.kind === 'header' && own.name === source.name)) continue;
      errorInValue(
        at,
        where,
        `the header ${source.name} holds tokens of type "${type}"`,
        'choose another header',
      );
    }
  }
}

/** Of a token only its digest is kept. */
export function checkNoSecret({ at, secrets }: ObserveRow, where: ConfigPath, pointer: string): void {
  if (!secrets.has(pointer)) return;
  const message = `json:${pointer} is the token itself, which would be kept and shown as it is`;
  errorInValue(at, where, message, 'point at something that is no secret');
}

/** Every caller must have what is taken from it, and one of it. */
function checkOfCaller({ at, row, types }: ObserveRow, where: ConfigPath, name: string): void {
  if (row.allow === 'public') {
    errorInValue(
      at,
      where,
      'a public row knows no caller with attributes',
      'take it from the answer: json:/user/id',
    );
    return;
  }
  for (const type of Object.keys(row.allow).flatMap((one) => types.get(one) ?? [])) {
    const rule = type.attributes.get(name);
    if (rule?.required === true && !rule.list) continue;
    const lack = rule === undefined ? 'has no' : rule.list ? 'has a list as' : 'need not have the';
    const hint = `give ${type.name} a row of its own, or take it from the answer: json:/${name}`;
    errorInValue(at, where, `token type "${type.name}" ${lack} attribute "${name}"`, hint);
  }
}

/** What a header says the caller has chosen: neither whose a token is, nor anything that is decided by. */
function checkDecides(
  at: Compilation,
  where: ConfigPath,
  name: string,
  { from, among }: ObservedValue,
  requiredBy: TokenType | null,
): void {
  if (from.kind !== 'header') return;
  const chosen = `a caller chooses what ${from.name} says`;
  const hint = `take it from the answer: json:/${name}`;
  if (requiredBy !== null) {
    const message = `${chosen}, and tokens of type "${requiredBy.name}" are somebody's by attribute "${name}"`;
    errorInValue(
      at,
      where,
      message,
      `${hint}; or write ${name}: optional under token_types.${requiredBy.name}`,
    );
    return;
  }
  const names = passedOnAs(at, name);
  for (const one of names) {
    const row = rowBoundBy(at, one);
    if (row === null) continue;
    const by = one === name ? '' : `, which a row takes from "${name}"`;
    errorInValue(at, where, `${chosen}, and bind of ${row} goes by attribute "${one}"${by}`, hint);
    return;
  }
  const told = headerTelling(at, names);
  if (told === null || among !== undefined) return;
  const listed = `or write { from: header:${from.name}, one_of: [a, b] }, what a caller may say`;
  errorInValue(
    at,
    where,
    `${chosen}, and the identity header ${told} goes by attribute "${name}"`,
    `${hint}; ${listed}`,
  );
}

/** What an answer or the path says is not the caller's choice. */
function checkAmong(at: Compilation, where: ConfigPath, { from, among }: ObservedValue): void {
  if (among === undefined || from.kind === 'header') return;
  errorInKey(at, [...where, 'one_of'], 'one_of is for what a caller says in a header', 'remove it');
}

/** A caller who leaves it out would make an answer unreadable that the upstream has given. */
function checkThere(at: Compilation, where: ConfigPath, { from, otherwise }: ObservedValue): void {
  if (from.kind !== 'header' || otherwise !== null) return;
  const message = `a caller may leave ${from.name} out, and nothing says which tokens end then`;
  errorInValue(at, where, message, `write { from: header:${from.name}, default: TEXT }`);
}

/** The first row whose `bind` goes by an attribute; null: none does. */
function rowBoundBy({ config }: Compilation, attribute: string): string | null {
  for (const { routes } of Object.values(config.apis)) {
    for (const [key, { bind }] of Object.entries(routes)) {
      const names = Object.values(bind).map((one) => (typeof one === 'string' ? one : one.equals));
      if (names.includes(attribute)) return key;
    }
  }
  return null;
}

/** The attribute, and what rows that make tokens call it on those: it is as much the caller's choice there. */
function passedOnAs({ config }: Compilation, attribute: string): ReadonlySet<string> {
  const names = new Set([attribute]);
  const made = Object.values(config.apis).flatMap(({ routes }) =>
    Object.values(routes).flatMap(({ with: written }) => Object.entries(written?.attributes ?? {})),
  );
  const takes = (source: ServedSource) => source.kind === 'attribute' && names.has(source.name);
  for (let known = 0; known < names.size; ) {
    known = names.size;
    for (const [name, value] of made) if ([value].flat().some(takes)) names.add(name);
  }
  return names;
}

/** The first header that tells an upstream of one of the attributes; null: none does. */
function headerTelling({ config }: Compilation, attributes: ReadonlySet<string>): string | null {
  const { headers = {}, assertion } = config.identity;
  for (const [name, from] of Object.entries(headers)) {
    if (from.kind === 'token.attribute' && attributes.has(from.name)) return name;
  }
  // It tells of every attribute, and is signed.
  return assertion?.header ?? null;
}
