/** `postern tail`: decisions as they are made, from a running gateway over its admin API. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { apiOf, type PlaceOptions, withUrl } from './cli-place.ts';
import { allowed, CommandFailed, exitCodes, paint, type Shell, visible } from './cli-shell.ts';
import type { Api, ApiAnswer } from './remote.ts';
import { parseStatus } from './tail-filter.ts';

type TailOptions = PlaceOptions & {
  readonly refusals?: true;
  readonly token?: string;
  readonly row?: string;
  readonly status?: string;
  readonly json?: true;
};

type Tailing = {
  readonly api: Api;
  readonly path: string;
  readonly shell: Shell;
  readonly print: (text: string) => void;
  readonly printLost: (lost: number) => void;
};

export function addTail(program: Command, shell: Shell): void {
  withUrl(program.command('tail'))
    .description('decisions as they are made, from a running gateway')
    .option('--refusals', 'only what was refused')
    .option('--token <id>', 'of this token only, tok_…', tokenId)
    .option('--row <id>', 'of this row only: "main GET /items"')
    .option('--status <status>', 'of this status only, or of a class: 403, 4xx', status)
    .option('--json', 'one line of JSON each, as in a pipe')
    .action((options: TailOptions) => tail(options, shell));
}

async function tail(options: TailOptions, shell: Shell): Promise<void> {
  const api = apiOf(options, shell);
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
    await follow({ api, path: pathOf(options), shell, print, printLost }, ending.signal);
  } finally {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  }
}

function pathOf({ refusals, token, row, status }: TailOptions): string {
  const search = new URLSearchParams();
  if (refusals === true) search.set('refusals', 'true');
  for (const [name, value] of Object.entries({ token, row, status })) {
    if (value !== undefined) search.set(name, value);
  }
  return search.size === 0 ? '/v1/tail' : `/v1/tail?${search}`;
}

const pauseMsMax = 10_000;

/** Until it is told to end. @throws CommandFailed if it is refused, or was never connected. */
async function follow(tailing: Tailing, signal: AbortSignal): Promise<void> {
  const { connectTail, TailRefused } = await import('./tail-client.ts');
  const { api, path, shell } = tailing;
  let wasConnected = false;
  let pauseMs = 1000;
  while (!signal.aborted) {
    try {
      const { messages } = await connectTail(api, path, signal);
      shell.err(
        wasConnected
          ? 'connected again; what happened meanwhile is not shown\n'
          : `${new URL(api.origin).host}: listening\n`,
      );
      wasConnected = true;
      pauseMs = 1000;
      for await (const message of messages) {
        if (message.kind === 'decision') tailing.print(message.text);
        else if (message.kind === 'lost') tailing.printLost(message.lost);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof TailRefused && (!wasConnected || isFinal(error.answer.status))) {
        throw await refusal(api, error.answer);
      }
      if (!wasConnected) throw await unreachable(api, error);
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

/** @throws CommandFailed where it is about who asked. */
async function refusal(api: Api, answer: ApiAnswer): Promise<CommandFailed> {
  const { foreign, refusedIn } = await import('./remote-answer.ts');
  const refused = refusedIn(answer, api);
  return refused === null ? foreign(answer.status, api) : allowed(refused);
}

async function unreachable(api: Api, error: unknown): Promise<CommandFailed> {
  const { unanswered } = await import('./remote-answer.ts');
  const { codeOf, NoAnswer } = await import('./remote.ts');
  return unanswered(new NoAnswer(codeOf(error), false), api, { method: 'GET', once: null }, false);
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
