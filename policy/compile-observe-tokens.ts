/** The entries of `observe` that learn and end tokens; refuses what could reach another's tokens. */
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import { checkSource, compileAttributes, type ObserveRow } from './compile-observe-values.ts';
import { annotates } from './compile-type-keys.ts';
import type { EndedConfig, LearnedConfig } from './config-observe.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { Observe, ObservedAttribute } from './observe-types.ts';
import { graceMsMax } from './serve.ts';
import type { TokenType } from './token-types.ts';
import { formatDuration } from './units.ts';

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
  if (written.instead_of !== undefined) {
    checkInsteadOf(observing, [...where, 'instead_of'], written, type);
    const owners = ownersAmong(type, attributes);
    checkChosen(
      at,
      where,
      type,
      owners.filter(({ name }) => insteadOf.includes(name)),
    );
  }
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
  const owners = ownersAmong(type, attributes);
  if (row.allow === 'public') checkPublicEnd(at, where, owners);
  else checkChosen(at, where, type, owners);
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

/** Those that say whose tokens they are: the required ones, or all where none is. */
function ownersAmong(
  type: TokenType,
  attributes: readonly ObservedAttribute[],
): readonly ObservedAttribute[] {
  const required = attributes.filter(({ name }) => type.attributes.get(name)?.required === true);
  return required.length === 0 ? attributes : required;
}

/** Of a type without required attributes: a caller who chooses them all could end anybody's. */
function checkChosen(
  at: Compilation,
  where: ConfigPath,
  type: TokenType,
  owners: readonly ObservedAttribute[],
): void {
  for (const { name, from } of owners) {
    if (from.kind !== 'header' || type.attributes.get(name)?.required === true) continue;
    const message = `a caller chooses what ${from.name} says, and could end anybody's tokens by attribute "${name}"`;
    errorInValue(at, [...where, 'attributes', name], message, `take it from the answer: json:/${name}`);
  }
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
    type.attributes.get(name)?.list === true
      ? `write an attribute of one text that is required under token_types.${type.name}`
      : word === 'end'
        ? `write attributes: { ${name}: "{${name}}" }`
        : `write instead_of: [${name}, …]`;
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
    // One of a caller that is not there was reported before.
    if (from.kind === 'attribute' || (from.kind === 'json' && otherwise === null)) continue;
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
