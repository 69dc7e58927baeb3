/** `postern operator hash`: what the config keeps of an operator's password. Reads it from the terminal or stdin, never from argv. */
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
    .action(() => printHash(shell));
}

async function printHash(shell: Shell): Promise<void> {
  const { askSecret = null } = shell.terminal ?? {};
  const password =
    askSecret === null ? await lineOf(shell.stdin?.() ?? []) : await askTwice(askSecret, shell);
  if ([...password].length < lengthMin) {
    throw new CommandFailed(
      exitCodes.refused,
      `a password takes ${lengthMin} characters or more; several words do well`,
    );
  }
  shell.out(`${await hashPassword(password)}\n`);
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
