/** Asks for a line on a terminal that shows nothing of it. */
import type { ReadStream } from 'node:tty';
import { CommandFailed, exitCodes } from './cli-shell.ts';

const enter = new Set(['\r', '\n']);
const backspace = new Set(['\u007f', '\b']);
const end = '\u0004';
const interrupt = '\u0003';

/** @throws CommandFailed where it is broken off. */
export function askSecret(
  input: Pick<ReadStream, 'setRawMode' | 'on' | 'off' | 'resume' | 'pause' | 'setEncoding'>,
  tell: (text: string) => void,
  question: string,
): Promise<string> {
  input.setEncoding('utf8');
  // Before the question: whoever types at once, or pastes, has the terminal show it until then.
  input.setRawMode(true);
  input.resume();
  tell(question);
  return new Promise((resolve, reject) => {
    const typed: string[] = [];
    const leave = () => {
      input.off('data', read);
      input.setRawMode(false);
      input.pause();
      tell('\n');
    };
    const read = (chunk: string | Buffer): void => {
      for (const key of chunk.toString()) {
        if (key === interrupt || (key === end && typed.length === 0)) {
          leave();
          reject(new CommandFailed(exitCodes.refused, 'given up; nothing was changed'));
          return;
        }
        if (enter.has(key) || key === end) {
          leave();
          resolve(typed.join(''));
          return;
        }
        if (backspace.has(key)) typed.pop();
        else if (key >= ' ') typed.push(key);
      }
    };
    input.on('data', read);
  });
}
