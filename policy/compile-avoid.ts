/** What `issue.avoid` asks of its words: that they could stand in a new token at all, and that most tokens are without. */
import { type Compilation, errorInKey, errorInValue } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import type { TokenTypeConfig } from './config-schema.ts';
import type { TokenType } from './token-types.ts';

const alphabets: Readonly<Record<TokenType['issue']['alphabet'], string>> = {
  base62: '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ',
  hex: '0123456789abcdef',
  base64url: '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_',
};

/** As much of a type as a new token's text depends on. */
type MintedShape = Pick<TokenType, 'prefix' | 'issue'> & Pick<TokenTypeConfig, 'checksum'>;

/** How likely one place of a new token is a character (lower case, either case counts). */
type Place = (character: string) => number;

/** As a part of the compiled type. */
export function compileIssue(at: Compilation, path: ConfigPath, type: TokenTypeConfig): TokenType['issue'] {
  const { avoid, ...issue } = type.issue;
  if (avoid === undefined) return issue;
  const where = [...path, 'issue', 'avoid'];
  const drawn = alphabets[issue.alphabet] + (type.checksum === undefined ? '' : alphabets.base62);
  const characters = new Set(drawn.toLowerCase());
  const prefix = type.prefix.toLowerCase();
  let isSound = true;
  for (const [index, word] of avoid.entries()) {
    const error = (message: string, hint: string) => {
      errorInValue(at, [...where, index], message, hint);
      isSound = false;
    };
    if (avoid.indexOf(word) !== index) error(`"${word}" stands twice`, 'remove one');
    else if ([...word].some((character) => !characters.has(character)))
      error(`"${word}" can stand in no ${issue.alphabet} text`, 'remove it');
    else if (prefix.includes(word))
      error(`every new token would hold "${word}", which is in the prefix`, 'remove it');
  }
  if (isSound && refusedShare({ ...type, issue }, avoid) > 1 / 2) {
    const hint = 'avoid fewer words, or longer ones, or make issue.length smaller';
    errorInKey(at, where, 'half of all tokens that are drawn, or more, would hold one of these words', hint);
  }
  return { ...issue, avoid };
}

/**
 * How many of all draws hold one of the words, at most: the sum over words and places, as if no two ever met. One
 * that begins in the prefix and ends in what is drawn counts too; one in the prefix alone is not among the words.
 */
export function refusedShare(type: MintedShape, words: readonly string[]): number {
  const places = placesOf(type);
  let share = 0;
  for (const word of words) {
    for (let start = 0; start + word.length <= places.length; start++) {
      let chance = 1;
      for (let i = 0; i < word.length && chance > 0; i++) {
        chance *= places[start + i]?.(word.charAt(i)) ?? 0;
      }
      share += chance;
    }
  }
  return share;
}

function placesOf(type: MintedShape): readonly Place[] {
  const { prefix, issue, checksum } = type;
  const fixed = [...prefix.toLowerCase()].map(
    (own): Place =>
      (character) =>
        character === own ? 1 : 0,
  );
  const drawn = Array<Place>(issue.length).fill(placeOf(alphabets[issue.alphabet]));
  if (checksum === undefined) return [...fixed, ...drawn];
  // 32 bits as six base62 characters: the first is 0 to 4, the others are as if drawn.
  const first: Place = (character) => (/[0-4]/.test(character) ? 62 ** 5 / 2 ** 32 : 0);
  return [...fixed, ...drawn, first, ...Array<Place>(5).fill(placeOf(alphabets.base62))];
}

function placeOf(alphabet: string): Place {
  const counts = new Map<string, number>();
  for (const character of alphabet.toLowerCase()) counts.set(character, (counts.get(character) ?? 0) + 1);
  return (character) => (counts.get(character) ?? 0) / alphabet.length;
}
