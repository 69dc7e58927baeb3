/** Token types that are signed and only annotate: whole, apart from all others, and named by no row. */

import type { AnnotationType } from './annotation-types.ts';
import { type Compilation, errorInKey, errorInValue, hasBroken } from './compile-context.ts';
import { annotates, refuseKeys } from './compile-type-keys.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowConfig, TokenTypeConfig } from './config-schema.ts';
import { isReserved } from './identity.ts';
import type { Source } from './token-types.ts';
import type { IdentityRule } from './types.ts';

const expiresDefault = 'trigger_expires_at';

const nowhere = 'remove it; such a token is made elsewhere and kept nowhere';
const nothing = 'remove it; such a token opens nothing';

export function compileAnnotations(
  at: Compilation,
  identity: IdentityRule,
): ReadonlyMap<string, AnnotationType> {
  const annotations = new Map<string, AnnotationType>();
  for (const [name, type] of Object.entries(at.config.token_types)) {
    const path = ['token_types', name];
    if (!annotates(type)) {
      for (const key of ['key', 'derive', 'expires'] as const) {
        if (type[key] === undefined) continue;
        errorInKey(
          at,
          [...path, key],
          `${key} belongs to format: signed`,
          'remove it, or write format: signed',
        );
      }
      continue;
    }
    checkWhole(at, path, type);
    checkSources(at, name, type, identity);
    const { prefix, sources, expires = expiresDefault } = type;
    annotations.set(name, { name, prefix, sources, expires });
  }
  return annotations;
}

function checkWhole(at: Compilation, path: ConfigPath, type: TokenTypeConfig): void {
  if (type.use === undefined) {
    errorInKey(at, [...path, 'format'], 'signed tokens can only annotate', 'write use: annotate beside it');
  } else if (type.format !== 'signed') {
    const hint = 'write format: signed, or remove use';
    errorInKey(at, [...path, 'use'], 'use: annotate is for tokens that are signed', hint);
  }
  if (type.prefix === '') {
    const hint = 'write the prefix they begin with: prefix: probe_';
    errorInKey(at, path, 'signed tokens need a prefix, so that nobody takes them for credentials', hint);
  }
  if (type.key === undefined) {
    const hint = 'write key: { env: NAME }, or { file: PATH }';
    errorInKey(at, path, 'signed tokens need a key to be verified with', hint);
  }
  refuseKeys(at, path, type, 'only annotate', {
    aliases: 'remove it; write a type of its own for each prefix',
    checksum: 'remove it; the signature proves more',
    verify: 'remove it; what only annotates is forwarded as it came',
    issue: nowhere,
    hash: nowhere,
    scopes: nothing,
    grantable: nothing,
    attributes: 'remove it; write annotation.TYPE.FIELD under identity.headers for what the payload says',
    csrf: nothing,
    unused_for: 'remove it; the payload says how long it holds',
  });
}

function checkSources(at: Compilation, name: string, type: TokenTypeConfig, identity: IdentityRule): void {
  for (const [index, source] of type.sources.entries()) {
    const where = ['token_types', name, 'sources', index];
    if (source.kind === 'bearer' || source.kind === 'cookie') {
      const hint = 'write header:NAME or query:NAME, where no credential stands';
      errorInValue(at, where, `tokens that only annotate are not read from ${source.kind}`, hint);
      continue;
    }
    if (source.kind === 'header' && isReserved(identity, source.name)) {
      const message = `the header ${source.name} is an identity header, removed before it is read`;
      const hint = 'choose another name; only Postern says what stands under identity';
      errorInValue(at, where, message, hint);
    }
    const other = otherReader(at, name, source);
    if (other === null) continue;
    const message = `${source.kind}:${source.name} is where tokens of type "${other}" stand`;
    errorInValue(at, where, message, 'choose a name that no other type reads');
  }
}

/** Of two types that annotate, only the second is told. */
function otherReader(
  at: Compilation,
  name: string,
  source: Extract<Source, { name: string }>,
): string | null {
  const all = Object.entries(at.config.token_types);
  const own = all.findIndex(([other]) => other === name);
  const reader = all.find(
    ([other, type], index) =>
      other !== name &&
      (index < own || !annotates(type)) &&
      type.sources.some((one) => one.kind === source.kind && 'name' in one && one.name === source.name),
  );
  return reader?.[0] ?? null;
}

/** Whether a row names one as if it could open something. */
export function checkOpensNothing(at: Compilation, path: ConfigPath, row: RowConfig): void {
  if (row.allow === 'public') return;
  for (const name of Object.keys(row.allow)) {
    if (!isAnnotation(at, name)) continue;
    const hint = 'remove the cell; to have it read here, list it under types: of the api';
    errorInKey(
      at,
      [...path, 'allow', name],
      `tokens of type "${name}" only annotate, and open nothing`,
      hint,
    );
  }
}

export function isAnnotation(at: Compilation, name: string): boolean {
  const type = Object.hasOwn(at.config.token_types, name) ? at.config.token_types[name] : undefined;
  return type !== undefined && annotates(type);
}

/** Whether an identity header names a type that annotates. */
export function checkAnnotates(at: Compilation, path: ConfigPath, name: string): void {
  if (isAnnotation(at, name) || hasBroken(at, 'token_types')) return;
  const known = Object.keys(at.config.token_types).filter((type) => isAnnotation(at, type));
  const hint = suggest(name, known, 'define it with format: signed and use: annotate');
  errorInValue(at, path, `no token type "${name}" annotates`, hint);
}
