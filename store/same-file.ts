/** Notices that a database file was deleted or replaced under an open connection; it never opens one. */
import { statSync } from 'node:fs';

export interface SameFile {
  /** Why the open file is no longer the one at the path, as of the last look; null: it is. No I/O. */
  readonly reason: string | null;
  /** Looks now. */
  look(): string | null;
  stop(): void;
}

/**
 * Looks once a second: SQLite goes on with a deleted file as if nothing had happened, so a
 * revoke by another process, made in the new file, would never be seen.
 */
export function watchSameFile(path: string, everyMs = 1_000): SameFile {
  const opened = statSync(path);
  let reason: string | null = null;

  const look = () => {
    const found = statSync(path, { throwIfNoEntry: false });
    const same = found?.ino === opened.ino && found.dev === opened.dev;
    reason = same ? null : `${path} was ${found ? 'replaced' : 'deleted'} while open: restart Postern`;
    return reason;
  };

  const timer = setInterval(look, everyMs).unref();
  return {
    get reason() {
      return reason;
    },
    look,
    stop: () => clearInterval(timer),
  };
}
