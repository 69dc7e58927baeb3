/** Says how far a scan is, in one line that is written over; only where a person sees it. */
import type { Shell } from './cli-shell.ts';
import type { Scan } from './scan.ts';

export type Progress = { show(scan: Scan): void; end(): void };

const everyMs = 200;
const clearLine = '\r\u001b[K';

export function createProgress(shell: Shell): Progress {
  if (shell.terminal?.err !== true) return { show() {}, end() {} };
  let shownAt = shell.now();
  let isShown = false;
  return {
    show({ tally: { files, objects, bytes }, findings }) {
      const now = shell.now();
      if (now - shownAt < everyMs) return;
      shownAt = now;
      isShown = true;
      const read = `${files} files, ${objects} git objects, ${Math.floor(bytes / 1024 ** 2)} MiB`;
      shell.err(`${clearLine}scanning: ${read}, ${findings.length} found`);
    },
    end() {
      if (isShown) shell.err(clearLine);
    },
  };
}
