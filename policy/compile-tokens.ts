/** From `token_types` to TokenType: prefixes apart, lengths within bounds, scopes declared. */

import type { AnnotationType } from './annotation-types.ts';
import { checkAdminApart } from './compile-admin.ts';
import { compileIssue } from './compile-avoid.ts';
import { type Compilation, errorInKey, errorInValue, resolves, warnInKey } from './compile-context.ts';
import { compileCsrf } from './compile-csrf.ts';
import { checkIdsApart, compileFormat, compilePepper, fixedChars } from './compile-formats.ts';
import { annotates } from './compile-type-keys.ts';
import { compileUnverified } from './compile-unverified.ts';
import type { ConfigPath } from './config-problem.ts';
import type { TokenTypeConfig } from './config-schema.ts';
import { compileUnused } from './config-unused.ts';
import { isReserved } from './identity.ts';
import type { AttributeRule, HashRule, TokenType } from './token-types.ts';
import type { IdentityRule, Policy } from './types.ts';

const tokenBytesMin = 16;
const tokenBytesMax = 512;
/** bcrypt reads no further: two longer tokens could share a hash. */
const bcryptBytesMax = 72;
const randomBitsAdvised = 128;
const bitsPerCharacter = { base62: Math.log2(62), hex: 4, base64url: 6 };

const attributeRules: Readonly<Record<string, AttributeRule>> = {
  required: { required: true, list: false },
  optional: { required: false, list: false },
  list: { required: false, list: true },
  required_list: { required: true, list: true },
};

export function compileTypes(at: Compilation, identity: IdentityRule): ReadonlyMap<string, TokenType> {
  const types = new Map<string, TokenType>();
  for (const [name, type] of Object.entries(at.config.token_types)) {
    if (!annotates(type)) types.set(name, compileType(at, name, type, identity));
  }
  checkPrefixesApart(at);
  checkAdminApart(at);
  checkIdsApart(at);
  return types;
}

/** Every accepted prefix with its type, longest first, so that `pio_live_` wins over `pio_`. */
export function prefixTable(
  types: ReadonlyMap<string, TokenType>,
  annotations: ReadonlyMap<string, AnnotationType>,
): Policy['prefixes'] {
  const credentials = [...types.values()].flatMap((type) =>
    type.prefixes.map((prefix) => ({ prefix, type })),
  );
  const others = [...annotations.values()].map(({ prefix }) => ({ prefix, type: null }));
  return [...credentials, ...others].sort(
    (a, b) => b.prefix.length - a.prefix.length || (a.prefix < b.prefix ? -1 : 1),
  );
}

function compileType(
  at: Compilation,
  name: string,
  type: TokenTypeConfig,
  identity: IdentityRule,
): TokenType {
  const path = ['token_types', name];
  checkAliases(at, path, type);
  checkSources(at, path, type, identity);
  const prefixes = type.prefix === '' ? [...type.aliases] : [type.prefix, ...type.aliases];
  const { prefix, sources } = type;
  const issue = compileIssue(at, path, type);
  const shape = { name, prefix, prefixes, issue, sources, ...compileFormat(at, path, type) };
  if (type.verify === 'upstream') return { ...shape, ...compileUnverified(at, name, type) };
  checkLengths(at, path, type);
  return {
    ...shape,
    hash: compileHash(at, path, type),
    scopes: compileScopes(at, path, type),
    attributes: compileAttributes(at, path, type),
    ...compileCsrf(at, name, type, identity),
    ...compileUnused(type.unused_for),
  };
}

function checkLengths(at: Compilation, path: ConfigPath, type: TokenTypeConfig): void {
  const { length, alphabet } = type.issue;
  const fixed = fixedChars(type);
  const minted = fixed + length;
  const where = [...path, 'issue', 'length'];
  if (minted < tokenBytesMin) {
    const hint = `make issue.length at least ${tokenBytesMin - fixed}; shorter credentials are refused unread`;
    errorInValue(at, where, `new tokens would be ${minted} bytes long, fewer than ${tokenBytesMin}`, hint);
  } else if (minted > tokenBytesMax) {
    const hint = `make issue.length at most ${tokenBytesMax - fixed}; longer credentials are refused unread`;
    errorInValue(at, where, `new tokens would be ${minted} bytes long, more than ${tokenBytesMax}`, hint);
  } else if (length * bitsPerCharacter[alphabet] < randomBitsAdvised) {
    const bits = Math.floor(length * bitsPerCharacter[alphabet]);
    const needed = Math.ceil(randomBitsAdvised / bitsPerCharacter[alphabet]);
    const message = `new tokens carry ${bits} random bits, fewer than ${randomBitsAdvised}`;
    warnInKey(at, path, message, `make issue.length ${needed} or more`);
  }
}

function checkAliases(at: Compilation, path: ConfigPath, type: TokenTypeConfig): void {
  for (const [index, alias] of type.aliases.entries()) {
    if (alias === '') {
      const hint = 'leave the alias out; a type without prefix has no aliases';
      errorInValue(at, [...path, 'aliases', index], 'an empty alias would accept every token', hint);
    }
  }
  if (type.prefix === '' && type.aliases.length > 0) {
    errorInValue(at, [...path, 'aliases'], 'aliases without a prefix', 'write the first of them as prefix');
  }
}

function checkSources(
  at: Compilation,
  path: ConfigPath,
  type: TokenTypeConfig,
  identity: IdentityRule,
): void {
  for (const [index, source] of type.sources.entries()) {
    if (source.kind !== 'header') continue;
    if (!isReserved(identity, source.name)) continue;
    const message = `the header ${source.name} is an identity header, removed before it is read`;
    const hint = 'choose another name; only Postern says what stands under identity';
    errorInValue(at, [...path, 'sources', index], message, hint);
  }
}

function compileHash(at: Compilation, path: ConfigPath, type: TokenTypeConfig): HashRule {
  const { hash } = type;
  if (hash.use === 'sha256') {
    for (const key of ['cost', 'lookup_chars', 'then'] as const) {
      if (hash[key] === undefined) continue;
      errorInKey(at, [...path, 'hash', key], `${key} belongs to bcrypt`, `remove it, or write use: bcrypt`);
    }
    return { use: 'sha256', ...compilePepper(at, path, type) };
  }
  if (hash.pepper !== undefined) {
    const hint = 'remove it, or write use: sha256';
    errorInKey(at, [...path, 'hash', 'pepper'], 'pepper belongs to sha256', hint);
  }
  const lookupChars = hash.lookup_chars ?? 12;
  checkBcrypt(at, path, type, lookupChars);
  return { use: 'bcrypt', cost: hash.cost ?? 10, lookupChars, thenSha256: hash.then === 'sha256' };
}

function checkBcrypt(at: Compilation, path: ConfigPath, type: TokenTypeConfig, lookupChars: number): void {
  if (type.format === 'id_pipe_random') return;
  if (type.prefix === '') {
    errorInKey(at, path, 'bcrypt needs a prefix', 'give the type a prefix, or use sha256');
    return;
  }
  const longest = Math.max(type.prefix.length, ...type.aliases.map((alias) => alias.length));
  const beside = longest - type.prefix.length + fixedChars(type);
  const bytes = beside + type.issue.length;
  if (bytes > bcryptBytesMax) {
    const hint = `bcrypt reads ${bcryptBytesMax} bytes and no further; make issue.length at most ${bcryptBytesMax - beside}, or use sha256`;
    errorInValue(
      at,
      [...path, 'issue', 'length'],
      `tokens of up to ${bytes} bytes are too long for bcrypt`,
      hint,
    );
  }
  if (lookupChars <= longest) {
    const message = `lookup_chars: ${lookupChars} holds no random character after a prefix of ${longest}`;
    const hint = `every token would be compared with every other; write ${longest + 3} or more`;
    errorInValue(at, [...path, 'hash', 'lookup_chars'], message, hint);
  }
}

function compileScopes(at: Compilation, path: ConfigPath, type: TokenTypeConfig): TokenType['scopes'] {
  for (const key of ['scopes', 'grantable'] as const) {
    for (const [index, scope] of (type[key] ?? []).entries()) {
      resolves(at, 'scopes', scope, [...path, key, index]);
    }
  }
  if (type.scopes !== undefined && type.grantable !== undefined) {
    const hint = 'keep scopes (the same for every token) or grantable (chosen at creation)';
    errorInKey(at, [...path, 'grantable'], 'scopes and grantable exclude each other', hint);
  }
  if (type.grantable !== undefined) return { grantable: [...new Set(type.grantable)] };
  return { fixed: [...new Set(type.scopes ?? [])] };
}

function compileAttributes(
  at: Compilation,
  path: ConfigPath,
  type: TokenTypeConfig,
): TokenType['attributes'] {
  const attributes = new Map<string, AttributeRule>();
  for (const [name, kind] of Object.entries(type.attributes)) {
    if (name === 'scopes' || name === 'origins') {
      const hint = `choose another name; ${name} stands for the ${name} of a token`;
      errorInKey(at, [...path, 'attributes', name], `an attribute cannot be called ${name}`, hint);
    }
    const rule = attributeRules[kind];
    if (rule !== undefined) attributes.set(name, rule);
  }
  const { csrf } = type;
  if (csrf !== undefined && csrf !== 'off' && !attributes.has(csrf.equals)) {
    attributes.set(csrf.equals, { required: true, list: false });
  }
  return attributes;
}

function checkPrefixesApart(at: Compilation): void {
  const owners = new Map<string, { type: string; path: ConfigPath }>();
  for (const [type, config] of Object.entries(at.config.token_types)) {
    const claims: { prefix: string; path: ConfigPath }[] = [
      { prefix: config.prefix, path: ['token_types', type, 'prefix'] },
      ...config.aliases.map((prefix, i) => ({ prefix, path: ['token_types', type, 'aliases', i] })),
    ];
    for (const { prefix, path } of claims) {
      if (prefix === '') continue;
      const owner = owners.get(prefix);
      if (owner === undefined) owners.set(prefix, { type, path });
      else {
        at.problems.errors.push({
          path,
          at: 'value',
          message: (lineOf) =>
            `prefix "${prefix}" is also accepted by token type "${owner.type}" (line ${lineOf(owner.path)})`,
          hint: 'give each type a prefix of its own',
        });
      }
    }
  }
}
