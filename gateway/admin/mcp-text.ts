/** What others wrote, for whoever reads a tool's answer; and command lines that say what was meant to a letter. */
import { visible } from './cli-shell.ts';

/** As on a terminal, and what draws nothing besides: words between the letters would reach whoever reads by machine. */
export function shownText(text: string): string {
  const point = (found: string) => `\\u{${found.codePointAt(0)?.toString(16)}}`;
  return visible(text).replace(/\p{Default_Ignorable_Code_Point}|\p{Cn}/gu, point);
}

/** Every text in a value of JSON, names too. */
export function shown(value: unknown): unknown {
  if (typeof value === 'string') return shownText(value);
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [shownText(name), shown(held)]));
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** null: a word holds what a person could not read before they run it. */
export function commandLine(words: readonly string[]): string | null {
  const line = words.map(quoted).join(' ');
  return shownText(line) === line ? line : null;
}
