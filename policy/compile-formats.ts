/** What `format`, `checksum` and `hash.pepper` of a token type ask of its other keys, and of other types. */
import { type Compilation, errorInKey, errorInValue } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import type { TokenTypeConfig } from './config-schema.ts';
import type { HashRule, TokenType } from './token-types.ts';

/** A new id is a ULID. */
const mintedIdChars = 26;
const checksumChars = 6;

/** Characters of a new token that are not random: its prefix and checksum, or its id and the `|`. */
export function fixedChars(type: TokenTypeConfig): number {
  if (type.format === 'id_pipe_random') return mintedIdChars + '|'.length;
  return type.prefix.length + (type.checksum === undefined ? 0 : checksumChars);
}

export function compileFormat(
  at: Compilation,
  path: ConfigPath,
  type: TokenTypeConfig,
): Pick<TokenType, 'format' | 'checksum'> {
  if (type.format === 'id_pipe_random') {
    checkIdPipe(at, path, type);
    return { format: type.format };
  }
  if (type.checksum === undefined) return {};
  if (type.prefix === '') {
    const hint = 'give the type a prefix, or leave checksum out';
    errorInKey(at, [...path, 'checksum'], 'a checksum needs a prefix that says whose it is', hint);
  }
  return { checksum: true };
}

function checkIdPipe(at: Compilation, path: ConfigPath, type: TokenTypeConfig): void {
  const instead = (what: string) => `remove it; tokens of id_pipe_random ${what}`;
  if (type.prefix !== '') {
    const message = 'id_pipe_random has no prefix';
    errorInKey(at, [...path, 'prefix'], message, instead('begin with their id'));
  }
  if (type.aliases.length > 0) {
    const message = 'id_pipe_random has no aliases';
    errorInKey(at, [...path, 'aliases'], message, instead('begin with their id'));
  }
  if (type.checksum !== undefined) {
    const message = 'id_pipe_random has no checksum';
    errorInKey(at, [...path, 'checksum'], message, instead('end as they were made'));
  }
  if (type.hash.use === 'bcrypt') {
    const hint = 'write use: sha256, or leave format out';
    errorInValue(at, [...path, 'hash', 'use'], 'id_pipe_random is not kept as bcrypt', hint);
  }
}

/** Ids begin with a digit: a prefix that does too could claim a token of another type. */
export function checkIdsApart(at: Compilation): void {
  const piped = Object.entries(at.config.token_types).find(([, type]) => type.format === 'id_pipe_random');
  if (piped === undefined) return;
  for (const [name, type] of Object.entries(at.config.token_types)) {
    if (type.format === 'id_pipe_random') continue;
    const places: readonly { readonly prefix: string; readonly path: ConfigPath }[] = [
      { prefix: type.prefix, path: ['token_types', name, 'prefix'] },
      ...type.aliases.map((prefix, i) => ({ prefix, path: ['token_types', name, 'aliases', i] })),
    ];
    for (const { prefix, path } of places) {
      if (!/^[0-9]/.test(prefix)) continue;
      const message = `prefix "${prefix}" could be the id of a token of type "${piped[0]}"`;
      errorInValue(at, path, message, 'begin it with a letter');
    }
  }
}

/** The part of a sha256 rule that policy knows: whether there are peppers, not which. */
export function compilePepper(
  at: Compilation,
  path: ConfigPath,
  { hash }: TokenTypeConfig,
): Pick<Extract<HashRule, { use: 'sha256' }>, 'pepper'> {
  const { pepper } = hash;
  if (pepper === undefined) return {};
  for (const [index, reference] of pepper.entries()) {
    if (reference !== null || index === pepper.length - 1) continue;
    const hint = 'put it at the end: new tokens use the first';
    errorInValue(at, [...path, 'hash', 'pepper', index], 'none is not the last of the peppers', hint);
  }
  if (pepper.every((reference) => reference === null)) {
    const hint = 'put a reference before it, or leave pepper out';
    errorInKey(at, [...path, 'hash', 'pepper'], 'a list of peppers without a pepper', hint);
  }
  return { pepper: pepper.includes(null) ? 'or_none' : 'always' };
}
