/** Says how far long work is, in one line that is written over; only where a person sees it. */
import type { Shell } from './cli-shell.ts';

export type Progress = { show(words: () => string): void; end(): void };

const everyMs = 200;
const clearLine = '\r\u001b[K';

export function createProgress(shell: Shell): Progress {
  if (shell.terminal?.err !== true) return { show() {}, end() {} };
  let shownAt = shell.now();
  let isShown = false;
  return {
    show(words) {
      const now = shell.now();
      if (now - shownAt < everyMs) return;
      shownAt = now;
      isShown = true;
      shell.err(`${clearLine}${words()}`);
    },
    end() {
      if (isShown) shell.err(clearLine);
    },
  };
}
