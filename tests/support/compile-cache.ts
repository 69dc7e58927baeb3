/** Fills the compile cache of the processes that tests start, for most are killed before they could write to it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';

/** From here everything is loaded that a gateway or a command loads, the threads' own files included. */
const entries = [
  'gateway/admin/cli.ts',
  'gateway/main.ts',
  'store/tokens-sqlite.ts',
  'store/postgres/open.ts',
  'store/tokens-postgres.ts',
  'store/writer-thread.ts',
  'store/bcrypt-thread.ts',
];

/** A third of what it costs to start a gateway. Without the cache all works the same, so it never fails. */
export async function fillCompileCache(root: string, folder: string): Promise<void> {
  const imports = entries.map(
    (entry) => `await import(${JSON.stringify(`${pathToFileURL(root)}/${entry}`)});`,
  );
  const child = spawn(process.execPath, ['--input-type=module', '--eval', imports.join('\n')], {
    stdio: 'ignore',
    env: { ...process.env, NODE_COMPILE_CACHE: folder },
  });
  await once(child, 'exit').catch(() => {});
}
