/** `postern tail`: decisions as they are made, from a running gateway over its admin API. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { originOf } from './cli-place.ts';
import { CommandFailed, exitCodes, paint, type Shell, visible } from './cli-shell.ts';
import { parseStatus } from './tail-filter.ts';

type TailOptions = {
  readonly url: string;
  readonly insecureHttp?: true;
  readonly refusals?: true;
  readonly token?: string;
  readonly row?: string;
  readonly status?: string;
  readonly json?: true;
};

type Tailing = {
  readonly url: URL;
  readonly token: string;
  readonly shell: Shell;
  readonly print: (text: string) => void;
  readonly printLost: (lost: number) => void;
};

export function addTail(program: Command, shell: Shell): void {
  program
    .command('tail')
    .description(
      'decisions as they are made, from a running gateway; the admin token is in POSTERN_ADMIN_TOKEN',
    )
    .requiredOption('--url <url>', 'its admin listener: http://127.0.0.1:8081')
    .option('--insecure-http', 'let the admin token go over http to another host')
    .option('--refusals', 'only what was refused')
    .option('--token <id>', 'of this token only, tok_…', tokenId)
    .option('--row <id>', 'of this row only: "main GET /items"')
    .option('--status <status>', 'of this status only, or of a class: 403, 4xx', status)
    .option('--json', 'one line of JSON each, as in a pipe')
    .action((options: TailOptions) => tail(options, shell));
}

async function tail(options: TailOptions, shell: Shell): Promise<void> {
  const url = tailUrl(options);
  const token = await adminTokenOf(shell);
  const isTable = options.json !== true && shell.terminal?.out === true;
  const print = isTable ? tablePrinter(shell) : (text: string) => shell.out(`${text}\n`);
  const printLost = isTable
    ? (lost: number) =>
        shell.err(`${lost} more that were not shown: they were too many, or read too slowly\n`)
    : (lost: number) => shell.out(`${JSON.stringify({ lost })}\n`);
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  try {
    await follow({ url, token, shell, print, printLost }, ending.signal);
  } finally {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  }
}

/** @throws CommandFailed where an admin token must not go there. */
function tailUrl({ url, insecureHttp, refusals, token, row, status }: TailOptions): URL {
  const whole = new URL(`${originOf(url, insecureHttp === true)}/v1/tail`);
  if (refusals === true) whole.searchParams.set('refusals', 'true');
  for (const [name, value] of Object.entries({ token, row, status })) {
    if (value !== undefined) whole.searchParams.set(name, value);
  }
  return whole;
}

const pauseMsMax = 10_000;

/** Until it is told to end. @throws CommandFailed if it is refused, or was never connected. */
async function follow(tailing: Tailing, signal: AbortSignal): Promise<void> {
  const { connectTail, TailRefused } = await import('./tail-client.ts');
  const { url, token, shell } = tailing;
  let wasConnected = false;
  let pauseMs = 1000;
  while (!signal.aborted) {
    try {
      const { messages } = await connectTail(url, token, signal);
      shell.err(
        wasConnected ? 'connected again; what happened meanwhile is not shown\n' : `${url.host}: listening\n`,
      );
      wasConnected = true;
      pauseMs = 1000;
      for await (const message of messages) {
        if (message.kind === 'decision') tailing.print(message.text);
        else if (message.kind === 'lost') tailing.printLost(message.lost);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof TailRefused && (!wasConnected || isFinal(error.status))) {
        throw new CommandFailed(exitCodes.refused, error.message);
      }
      if (!wasConnected) throw new CommandFailed(exitCodes.refused, unreachable(url, error));
    }
    if (signal.aborted) return;
    shell.err(`the gateway is gone; trying again in ${pauseMs / 1000} s\n`);
    await pause(pauseMs, undefined, { signal }).catch(() => {});
    pauseMs = Math.min(pauseMsMax, pauseMs * 2);
  }
}

/** What no waiting mends. */
function isFinal(status: number): boolean {
  return status < 500 && status !== 429;
}

function unreachable({ host }: URL, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return `${host} does not answer${code}; is the gateway running, and is this its admin listener?`;
}

/** Never from the command line, where others can read it. @throws CommandFailed */
export async function adminTokenOf({ env, terminal, stdin }: Shell): Promise<string> {
  const isPiped = stdin !== undefined && (terminal === undefined || terminal.ask === null);
  const said = env.POSTERN_ADMIN_TOKEN ?? (isPiped ? await firstLine(stdin()) : '');
  if (/^postern_admin_[0-9A-Za-z]{48}$/.test(said.trim())) return said.trim();
  const hint = 'put one with the scope tail:read into POSTERN_ADMIN_TOKEN, or pipe it in';
  throw new CommandFailed(exitCodes.usage, `there is no admin token; ${hint}`);
}

const lineBytesMax = 1024;

async function firstLine(input: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of input) {
    text += chunk.toString();
    if (text.includes('\n') || text.length > lineBytesMax) break;
  }
  return text.split('\n', 1)[0] ?? '';
}

type Shown = {
  readonly at: string;
  readonly status: number;
  readonly duration_ms: number;
  readonly method: string;
  readonly row: string | null;
  readonly token_id: string | null;
  readonly type: string | null;
  readonly address: string;
  readonly code: string | null;
  readonly reason: string | null;
};

/** Columns grow with what is in them, and never shrink again: lines above stay where they are. */
function tablePrinter(shell: Shell): (text: string) => void {
  const widths = [12, 3, 9, 24, 30, 9];
  return (text) => {
    const shown = JSON.parse(text) as Shown;
    const { at, status, duration_ms: ms, method, row, token_id: id, type, address, code, reason } = shown;
    const cells = [
      at.slice(11, 23),
      String(status),
      `${ms.toFixed(1)} ms`.padStart(9),
      row ?? `${method} (no row)`,
      id ?? type ?? '-',
      address,
    ].map(visible);
    for (const [column, cell] of cells.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, Math.min(cell.length, 60));
    }
    const padded = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    padded[1] = paint(shell, colourOf(shown), padded[1] ?? '');
    const why =
      code === null ? '' : paint(shell, 'dim', visible(reason === null ? code : `${code}: ${reason}`));
    shell.out(`${[...padded, why].join('  ').trimEnd()}\n`);
  };
}

function colourOf({ status, code }: Shown): 'green' | 'yellow' | 'red' {
  if (status >= 500 || status === 0) return 'red';
  return code === null ? 'green' : 'yellow';
}

function tokenId(value: string): string {
  if (/^tok_[0-9A-Za-z]{1,64}$/.test(value)) return value;
  throw new CommandFailed(
    exitCodes.usage,
    'not the id of a token; it starts with tok_, find it with token list',
  );
}

function status(value: string): string {
  const parsed = parseStatus(value);
  if (parsed.ok) return value;
  throw new CommandFailed(exitCodes.usage, `${parsed.message}; ${parsed.hint}`);
}
