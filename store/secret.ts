/** Mints token secrets and digests them; never keeps one. */
import { hash, randomBytes } from 'node:crypto';
import type { TokenType } from '../policy/token-types.ts';
import { checksumOf } from './token-format.ts';

const ALPHABETS: Readonly<Record<TokenType['issue']['alphabet'], string>> = {
  base62: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
  hex: '0123456789abcdef',
  base64url: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
};

/** Secret scanners and people take a token with one of these for an example, and let it leak. */
const PLACEHOLDER = /xxx|yyy|todo|fixme|replace|changeme/i;

const PREVIEW_RANDOM_MAX = 4;

/** A config under which half of all draws would be refused is refused itself. */
const DRAWS_MAX = 1000;

/**
 * A new token of the type: its prefix and `issue.length` random characters, then its checksum, where the type has
 * one. Each token without a word to avoid is equally likely: one with any is drawn anew as a whole, never mended.
 *
 * @param id what stands before the `|` of `<id>|<random>`; other types have none.
 * @throws Error where no draw is without the words to avoid, which no config leads to.
 */
export function mintSecret(type: Pick<TokenType, 'prefix' | 'issue' | 'checksum'>, id?: string): string {
  const start = id === undefined ? type.prefix : `${id}|`;
  // A word may begin in the prefix. An id is no part of the secret, and was not drawn here.
  const before = id === undefined ? start : '';
  for (let draws = 0; draws < DRAWS_MAX; draws++) {
    let end = randomText(type.issue.length, ALPHABETS[type.issue.alphabet]);
    if (type.checksum === true) end += checksumOf(start + end);
    if (!PLACEHOLDER.test(end) && !holdsAvoided(before + end, type)) return start + end;
  }
  throw new Error('every token that is drawn holds a word to avoid');
}

function holdsAvoided(text: string, { issue: { avoid } }: Pick<TokenType, 'issue'>): boolean {
  if (avoid === undefined) return false;
  const lower = text.toLowerCase();
  return avoid.some((word) => lower.includes(word));
}

/** Bytes past the last whole multiple of the alphabet are thrown away: taking them modulo would favour its start. */
function randomText(length: number, alphabet: string): string {
  const fairBelow = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length - text.length)) {
      if (byte < fairBelow) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}

/** SHA-256 in lower-case hex: of the whole token, what is stored, and found by. */
export function digestOf(plaintext: string): string {
  return hash('sha256', plaintext, 'hex');
}

/**
 * A digest for this process's memory only, under a random key that is never stored: of a bcrypt
 * token nothing cheaper to guess than bcrypt may be kept, not even in memory.
 */
export function createKeyedDigest(): (plaintext: string) => string {
  // 32 bytes as 64 hex characters: exactly one block of SHA-256.
  const key = randomBytes(32).toString('hex');
  return (plaintext) => hash('sha256', key + plaintext, 'base64url');
}

/**
 * What people recognise a token by: its prefix and at most four of its random characters; of
 * `<id>|<random>` the id is enough.
 *
 * @param beginning the token, or as much of its start as is known; '' where nothing is.
 */
export function previewOf(
  type: Pick<TokenType, 'prefix' | 'prefixes' | 'format'>,
  beginning: string,
): string {
  if (type.format === 'id_pipe_random') return `${beginning.slice(0, beginning.indexOf('|') + 1)}...`;
  if (beginning === '') return `${type.prefix}...`;
  const known = [type.prefix, ...type.prefixes].filter((prefix) => beginning.startsWith(prefix));
  const prefixLength = Math.max(0, ...known.map((prefix) => prefix.length));
  return `${beginning.slice(0, prefixLength + PREVIEW_RANDOM_MAX)}...`;
}
