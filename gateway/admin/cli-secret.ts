/** Secrets that people hand to a command: typed without being shown, or piped in; never on the command line. */
import type { Shell } from './cli-shell.ts';

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
