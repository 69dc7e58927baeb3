/** Secrets that people hand to a command: typed without being shown, or piped in; never on the command line. */
import type { ReadStream } from 'node:tty';
import { CommandFailed, exitCodes, type Shell } from './cli-shell.ts';

const secretBytesMax = 4096;

/** @returns the first line, trimmed; '': there was none. @throws CommandFailed where whoever was asked gave up. */
export async function readSecret(question: string, shell: Shell): Promise<string> {
  const ask = shell.terminal?.askSecret ?? null;
  if (ask !== null) return (await ask(question)).trim();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of shell.stdin?.() ?? []) {
    size += chunk.length;
    if (size > secretBytesMax) break;
    chunks.push(chunk);
  }
  return (Buffer.concat(chunks).toString().split('\n', 1)[0] ?? '').trim();
}

const enter = /[\r\n\u0004]/;
const giveUp = '\u0003';
const erase = /[\b\u007f]/;

/** Shows the question and none of the answer. @throws CommandFailed on Ctrl-C. */
export async function askHidden(
  question: string,
  input: ReadStream,
  say: (text: string) => void,
): Promise<string> {
  say(question);
  input.setRawMode(true);
  try {
    let text = '';
    for await (const chunk of input) {
      for (const character of String(chunk)) {
        if (enter.test(character)) return text;
        if (character === giveUp) throw new CommandFailed(exitCodes.refused, 'given up; nothing was changed');
        text = erase.test(character) ? text.slice(0, -1) : text + character;
      }
    }
    return text;
  } finally {
    input.setRawMode(false);
    say('\n');
  }
}
