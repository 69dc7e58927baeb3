/** What tokens look like in the midst of other text, as regular expressions for scanners of any make. Decides nothing. */
import type { TokenType } from './token-types.ts';
import type { Policy } from './types.ts';

/**
 * One way a token of a type is written. The first group of `regex` is the token. The dialect is what RE2, Hyperscan, PCRE
 * and JavaScript share: no look-around, no back-references, every repetition bounded.
 */
export type LeakPattern = {
  readonly type: string;
  /** What it starts with; '' for types without a prefix. */
  readonly prefix: string;
  readonly regex: string;
  /** `crc32-base62`: a match whose last six characters are not the CRC32 of the rest is none. */
  readonly checksum: 'crc32-base62' | null;
};

const issueAlphabets: Readonly<Record<TokenType['issue']['alphabet'], string>> = {
  base62: '0-9A-Za-z',
  hex: '0-9a-f',
  base64url: '0-9A-Za-z_-',
};

/** Base62 characters at the end of a token with `checksum`. */
const checksumLength = 6;

/** What stands before a word where text is escaped: the `n` of `\n` and the `22` of `%22` belong to no word. */
const escapes = '\\\\[nrtbf]|%[0-9A-Fa-f]{2}';

/** The types whose tokens Postern itself knows: those that it verifies. */
export function scannedTypes({ types }: Policy): readonly TokenType[] {
  return [...types.values()].filter(({ verify }) => verify === undefined);
}

/** A pattern for each type and prefix, as new tokens are made; what was imported in another form is not told. */
export function leakPatterns(types: readonly TokenType[]): readonly LeakPattern[] {
  return types.flatMap((type) => {
    const checksum = type.checksum === true ? ('crc32-base62' as const) : null;
    const rest = randomPart(type);
    if (type.format === 'id_pipe_random') {
      const regex = bounded(`[0-9A-Za-z_-]{1,64}(?:\\||%7[Cc])${rest}`, type);
      return [{ type: type.name, prefix: '', regex, checksum }];
    }
    const prefixes = type.prefixes.length === 0 ? [''] : type.prefixes;
    return prefixes.map((prefix) => {
      const regex = bounded(escapeRegex(prefix) + rest, type, prefix);
      return { type: type.name, prefix, regex, checksum };
    });
  });
}

/** What follows the prefix of a new token. */
export function randomPart({ issue, checksum }: Pick<TokenType, 'issue' | 'checksum'>): string {
  const drawn = `[${issueAlphabets[issue.alphabet]}]{${issue.length}}`;
  return checksum === true ? `${drawn}[0-9A-Za-z]{${checksumLength}}` : drawn;
}

/** `\b` where it says what is meant; a `-` at either end is no word for it. */
function bounded(token: string, { issue, checksum, format }: TokenType, prefix = ''): string {
  const dashEnds = issue.alphabet === 'base64url' && checksum !== true;
  const dashBegins = format !== undefined || (prefix === '' ? dashEnds : !/^\w/.test(prefix));
  const left = dashBegins ? '^|[^0-9A-Za-z_-]' : '\\b';
  const right = dashEnds ? '(?:[^0-9A-Za-z_-]|$)' : '\\b';
  return `(?:${escapes}|${left})(${token})${right}`;
}

export function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
