/** Notices that the config file has changed, by what it holds: it may be a link that was swung, or be replaced whole. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/**
 * Calls `changed` when the file holds something new and held the same a second before: a file that is still being
 * written is not looked at. What was refused once is not tried again until it changes. A file that cannot be read
 * is as good as unchanged.
 *
 * @param version of the config in force, as `Policy.version` has it.
 * @returns what ends the watch.
 */
export function watchConfig(file: string, version: string, changed: () => void, everyMs = 1000): () => void {
  let judged = version;
  let last: string | null = null;
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    const now = await digestOf(file);
    looking = false;
    const settled = now !== null && now === last;
    last = now;
    if (!settled || now.startsWith(judged)) return;
    judged = now;
    changed();
  };
  void look();
  const timer = setInterval(() => void look(), everyMs).unref();
  return () => clearInterval(timer);
}

async function digestOf(file: string): Promise<string | null> {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  } catch {
    return null;
  }
}
