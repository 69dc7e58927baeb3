/** `postern operator hash`: what the config keeps of an operator's password. Reads it from the terminal or stdin, never from argv. */
import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandFailed, exitCodes, type Shell } from './cli-shell.ts';
import { hashPassword } from './passwords.ts';

/** NIST SP 800-63B asks for 8 at least; this one opens every door. */
const lengthMin = 12;
const bytesMax = 1024;

export function addOperator(program: Command, shell: Shell): void {
  const operator = program
    .command('operator')
    .description('people who sign in to the dashboard by name and password');
  operator
    .command('hash')
    .description('read a password from the terminal or stdin, and print its hash for admin.operators')
    .option('--out <file>', 'write the hash into a new file that this user alone can read')
    .action((options: { readonly out?: string }) => makeHash(options, shell));
}

async function makeHash({ out: file }: { readonly out?: string }, shell: Shell): Promise<void> {
  if (file !== undefined && existsSync(file)) {
    throw new CommandFailed(
      exitCodes.refused,
      `${file} is there already; name a new file, or remove it first`,
    );
  }
  const { askSecret = null } = shell.terminal ?? {};
  const password =
    askSecret === null ? await lineOf(shell.stdin?.() ?? []) : await askTwice(askSecret, shell);
  if ([...password].length < lengthMin) {
    throw new CommandFailed(
      exitCodes.refused,
      `a password takes ${lengthMin} characters or more; several words do well`,
    );
  }
  const text = `${await hashPassword(password)}\n`;
  if (file === undefined) return shell.out(text);
  writeHash(file, text);
  shell.out(`${file}: made, for this user alone\n`);
}

/** Over nothing that is there, whoever made it in between. @throws CommandFailed where it cannot be made. */
function writeHash(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
  } catch {
    const hint = 'name a file that is not there, in a folder that this user may write to';
    throw new CommandFailed(exitCodes.refused, `cannot make ${file}; ${hint}`);
  }
}

async function askTwice(ask: (question: string) => Promise<string>, shell: Shell): Promise<string> {
  const password = await ask('Password: ');
  const again = await ask('Again: ');
  if (password === again) return password;
  shell.err('\n');
  throw new CommandFailed(exitCodes.refused, 'those were not the same; try again');
}

/** Without the end of its line: most tools write one. */
async function lineOf(input: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    size += chunk.length;
    if (size > bytesMax)
      throw new CommandFailed(exitCodes.refused, `a password has ${bytesMax} bytes at most`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (!/[\r\n\0]/.test(text)) return text;
  throw new CommandFailed(exitCodes.refused, 'a password is one line; pipe nothing else in');
}
