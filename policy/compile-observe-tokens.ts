/** The entries of `observe` that learn and end tokens; refuses what could reach another's tokens. */
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import { deciderBy } from './compile-deciders.ts';
import { annotates } from './compile-type-keys.ts';
import type { EndedConfig, LearnedConfig } from './config-observe.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';
import { isReserved } from './identity.ts';
import type { Observe, ObservedAttribute, ObservedSource, ObservedValue } from './observe-types.ts';
import { graceMsMax } from './serve.ts';
import { checkAttributes } from './token-input.ts';
import type { TokenType } from './token-types.ts';
import type { IdentityRule } from './types.ts';
import { formatDuration } from './units.ts';

/** What every entry of a row is checked against. */
export type ObserveRow = {
  readonly at: Compilation;
  readonly row: RowConfig;
  /** Of one segment each. */
  readonly params: readonly string[];
  readonly types: ReadonlyMap<string, TokenType>;
  readonly identity: IdentityRule;
};

type Values = LearnedConfig['attributes'];

/** null: a mistake was reported. */
export function compileLearned(
  observing: ObserveRow,
  where: ConfigPath,
  written: LearnedConfig,
): Observe | null {
  const { at } = observing;
  const type = keptType(observing, [...where, 'type'], written.type);
  if (written.label !== undefined) checkSource(observing, [...where, 'label'], written.label.from);
  checkLife(at, [...where, 'expires_in'], written.expires_in);
  if (type === null) return null;
  checkTellable(at, where, type);
  const insteadOf = written.instead_of ?? [];
  const attributes = compileAttributes(
    observing,
    [...where, 'attributes'],
    written.attributes,
    type,
    insteadOf,
  );
  for (const [name, rule] of type.attributes) {
    if (!rule.required || Object.hasOwn(written.attributes, name)) continue;
    const hint = `write attributes: { ${name}: json:/${name} }`;
    errorInKey(at, where, `a token of type "${type.name}" needs the attribute "${name}"`, hint);
  }
  if (written.instead_of !== undefined) checkInsteadOf(observing, [...where, 'instead_of'], written, type);
  return {
    kind: 'token',
    type: type.name,
    from: written.from,
    attributes,
    scopes: compileScopes(at, where, written.scopes, type),
    label: written.label ?? null,
    lifeMs: written.expires_in ?? null,
    insteadOf,
  };
}

/** null: a mistake was reported. */
export function compileEnd(observing: ObserveRow, where: ConfigPath, written: EndedConfig): Observe | null {
  const { at, row } = observing;
  if (written === 'caller') {
    checkCaller(observing, where);
    return { kind: 'caller' };
  }
  const type = keptType(observing, [...where, 'type'], written.type);
  if (type === null) return null;
  const names = Object.keys(written.attributes);
  checkNarrow(at, where, type, names, 'end');
  const attributes = compileAttributes(observing, [...where, 'attributes'], written.attributes, type, names);
  const needed = attributes.filter(({ name }) => type.attributes.get(name)?.required === true);
  if (row.allow === 'public') checkPublicEnd(at, where, needed.length === 0 ? attributes : needed);
  for (const name of names) checkNoList(at, [...where, 'attributes', name], type, name);
  return { kind: 'end', type: type.name, attributes };
}

/** Whoever asks must be somebody whose token is kept here. */
function checkCaller({ at, row, types }: ObserveRow, where: ConfigPath): void {
  if (row.allow === 'public') {
    const hint = 'allow token types instead of public, or end the tokens the answer names: end: { type: … }';
    errorInValue(at, where, 'a public row knows no caller whose token could end', hint);
    return;
  }
  for (const name of Object.keys(row.allow)) {
    if (types.get(name)?.verify !== 'upstream') continue;
    const message = `nobody here keeps tokens of type "${name}", which the upstream verifies`;
    errorInValue(at, where, message, `give ${name} a row of its own, without it`);
  }
}

/** What others verify, or nobody keeps, cannot be learned or ended here; null: so it is, and was reported. */
function keptType({ at, types }: ObserveRow, where: ConfigPath, name: string): TokenType | null {
  if (!resolves(at, 'token_types', name, where)) return null;
  const type = at.config.token_types[name];
  if (type === undefined || (type.verify === undefined && !annotates(type))) return types.get(name) ?? null;
  const hint = 'name a type without verify: upstream and format: signed';
  errorInValue(at, where, `tokens of type "${name}" are not kept here`, hint);
  return null;
}

/** Two hashes of one token by bcrypt are not alike, so a token that was revoked could come back beside itself. */
function checkTellable(at: Compilation, where: ConfigPath, { name, hash }: TokenType): void {
  if (hash.use !== 'bcrypt' || hash.thenSha256) return;
  const message = `nothing tells whether a token of type "${name}" is here already, for they are kept as bcrypt alone`;
  errorInValue(at, [...where, 'type'], message, `write then: sha256 under token_types.${name}.hash`);
}

function compileAttributes(
  observing: ObserveRow,
  where: ConfigPath,
  written: Values,
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
    checkDecides(at, place, name, value);
    for (const text of textsOf(value)) {
      const checked = checkAttributes(type, new Map([[name, rule.list ? [text] : text]]));
      if (!checked.ok) errorInValue(at, place, checked.complaint.message, checked.complaint.hint);
    }
    return [{ ...value, name, list: rule.list, needed: rule.required || needed.includes(name) }];
  });
}

function textsOf({ from, otherwise }: ObservedValue): readonly string[] {
  return [...(from.kind === 'text' ? [from.text] : []), ...(otherwise === null ? [] : [otherwise])];
}

function checkSource(observing: ObserveRow, where: ConfigPath, source: ObservedSource): void {
  const { at, params, identity } = observing;
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

/** What a header says the caller has chosen: nothing that is decided by. */
function checkDecides(at: Compilation, where: ConfigPath, name: string, { from }: ObservedValue): void {
  if (from.kind !== 'header') return;
  const decider = deciderBy(at, name);
  if (decider === null) return;
  const message = `a caller chooses what ${from.name} says, and ${decider} goes by attribute "${name}"`;
  errorInValue(at, where, message, `take it from the answer: json:/${name}`);
}

function checkInsteadOf(
  { at }: ObserveRow,
  where: ConfigPath,
  { instead_of: names = [], attributes }: LearnedConfig,
  type: TokenType,
): void {
  for (const [index, name] of names.entries()) {
    if (Object.hasOwn(attributes, name)) checkNoList(at, [...where, index], type, name);
    else {
      const hint = suggest(name, Object.keys(attributes), `write attributes: { ${name}: json:/${name} }`);
      errorInValue(at, [...where, index], `attributes does not say what "${name}" is`, hint);
    }
  }
  checkNarrow(at, where, type, names, 'instead_of');
}

/** Without what makes a token somebody's, everybody's would end. */
function checkNarrow(
  at: Compilation,
  where: ConfigPath,
  type: TokenType,
  names: readonly string[],
  word: 'end' | 'instead_of',
): void {
  const add = (name: string) =>
    word === 'end' ? `write attributes: { ${name}: "{${name}}" }` : `write instead_of: [${name}, …]`;
  const required = [...type.attributes].filter(([, rule]) => rule.required);
  const single = required.filter(([, rule]) => !rule.list);
  for (const [name] of single.length > 0 ? single : required) {
    if (names.includes(name)) continue;
    const message = `${word} leaves attribute "${name}" of type "${type.name}" open, so it is about everybody's`;
    errorInValue(at, where, message, add(name));
  }
  if (names.length > 0 || required.length > 0) return;
  errorInValue(
    at,
    where,
    `${word} is about every token of type "${type.name}"`,
    'name an attribute of the type',
  );
}

function checkNoList(at: Compilation, where: ConfigPath, type: TokenType, name: string): void {
  if (type.attributes.get(name)?.list !== true) return;
  const message = `"${name}" is a list, so tokens that are also somebody else's would end`;
  errorInValue(at, where, message, 'name an attribute that is one text');
}

/** Anybody may ask, so only the answer may say whose tokens end. */
function checkPublicEnd(at: Compilation, where: ConfigPath, attributes: readonly ObservedAttribute[]): void {
  for (const { name, from, otherwise } of attributes) {
    if (from.kind === 'json' && otherwise === null) continue;
    const message = `on a public row only the answer may say whose tokens end, and "${name}" does not come from it`;
    errorInValue(
      at,
      [...where, 'attributes', name],
      message,
      `write ${name}: json:/user/id, or allow token types`,
    );
  }
}

function checkLife(at: Compilation, where: ConfigPath, lifeMs: number | undefined): void {
  if (lifeMs === 0) errorInValue(at, where, 'a token of no life is of no use', 'write 90d');
  if ((lifeMs ?? 0) <= graceMsMax) return;
  errorInValue(at, where, 'expires_in is too long a time', `write at most ${formatDuration(graceMsMax)}`);
}

/** A type whose tokens choose their scopes must be told which, or a token would get what nobody wrote. */
function compileScopes(
  at: Compilation,
  where: ConfigPath,
  scopes: readonly string[] | undefined,
  type: TokenType,
): readonly string[] {
  if ('fixed' in type.scopes) {
    if (scopes !== undefined)
      errorInKey(at, [...where, 'scopes'], `the scopes of type "${type.name}" are fixed`, 'remove scopes');
    return [];
  }
  if (scopes === undefined) {
    const hint = `write scopes: [${type.scopes.grantable.slice(0, 1).join('')}], or scopes: [] for none`;
    errorInKey(at, where, 'observe does not say what the new token may do', hint);
    return [];
  }
  for (const [index, scope] of scopes.entries()) {
    if (type.scopes.grantable.includes(scope)) continue;
    const hint = suggest(scope, type.scopes.grantable, `token type ${type.name} holds no scopes`);
    errorInValue(
      at,
      [...where, 'scopes', index],
      `no token of type "${type.name}" can hold "${scope}"`,
      hint,
    );
  }
  return [...new Set(scopes)];
}
