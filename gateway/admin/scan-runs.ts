/** Where words of some length begin in a text, without looking at most of it. */

/** Which characters make up a word; only ASCII can. */
export type Letters = Uint8Array;

const ascii = 128;

/** Letters, digits, `_`, and `-` where asked for. */
export function lettersOf(withDash: boolean): Letters {
  const letters = new Uint8Array(ascii);
  for (let code = 0; code < ascii; code++) {
    if (/[0-9A-Za-z_]/.test(String.fromCharCode(code))) letters[code] = 1;
  }
  if (withDash) letters[0x2d] = 1;
  return letters;
}

/**
 * Words of `min` to `max` letters that begin from `from` to `to`. Looks `min` letters ahead and walks back to what is no
 * letter: of ordinary text that is a fraction.
 */
export function wordStarts(
  text: string,
  from: number,
  to: number,
  letters: Letters,
  { min, max }: { readonly min: number; readonly max: number },
): readonly number[] {
  const starts: number[] = [];
  let start = from;
  if (start > 0 && isLetter(text, start - 1, letters)) start = wordEnd(text, start, letters);
  while (start < to && start + min <= text.length) {
    let at = start + min - 1;
    while (at >= start && isLetter(text, at, letters)) at--;
    if (at >= start) {
      start = at + 1;
      continue;
    }
    const end = wordEnd(text, start + min, letters);
    if (end - start <= max) starts.push(start);
    start = end + 1;
  }
  return starts;
}

/** Where the word that ends before `end` begins; of one that is longer than `max` letters, no more than one more is looked at. */
export function wordStart(text: string, end: number, letters: Letters, max: number): number {
  let start = end;
  while (start > 0 && end - start <= max && isLetter(text, start - 1, letters)) start--;
  return start;
}

function wordEnd(text: string, from: number, letters: Letters): number {
  let end = from;
  while (end < text.length && isLetter(text, end, letters)) end++;
  return end;
}

function isLetter(text: string, at: number, letters: Letters): boolean {
  const code = text.charCodeAt(at);
  return code < ascii && letters[code] === 1;
}
