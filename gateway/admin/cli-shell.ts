/** What every command has at hand: streams, exit codes, the config, and errors that end a command. */
import { Option } from 'commander';
import { adminPrefix, withAdminType } from '../../policy/admin-type.ts';
import { type Checked, wordComplaint } from '../../policy/token-input.ts';
import { parseDuration } from '../../policy/units.ts';
import { type LoadedConfig, loadConfig, type Need } from '../config/load.ts';
import type { Problem } from '../config/problems.ts';
import type { ConfigRefused } from '../read-config.ts';

/** Part of the contract with scripts. */
export const exitCodes = { ok: 0, refused: 1, usage: 2, config: 78 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What of a terminal there is. */
export type Seat = {
  /** Whether `out` and `err` are read by a person. */
  readonly out: boolean;
  readonly err: boolean;
  /** Asks for a yes or no; null: nobody can answer. */
  readonly ask: ((question: string) => Promise<boolean>) | null;
  /** Asks for a line that is not shown; null or absent: nobody can answer. */
  readonly askSecret?: ((question: string) => Promise<string>) | null;
};

/** Where a command reads and writes; the process's own, or a test's. */
export type Shell = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Resolves when `out` takes more. Absent: it always does. */
  readonly drained?: () => void | Promise<void>;
  /** Whether `out` is a terminal that shows colours. */
  readonly colours: boolean;
  /** Absent: nobody sits there. */
  readonly terminal?: Seat;
  /** What is piped in. Absent: nothing. */
  readonly stdin?: () => AsyncIterable<Buffer>;
  /** Unix ms. */
  readonly now: () => number;
  /** Says how the command ended, where that is not well. */
  readonly exit: (code: ExitCode) => void;
};

/** Ends a command with one line on stderr. */
export class CommandFailed extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'CommandFailed';
    this.exitCode = exitCode;
  }
}

/** Ends a command with every problem of its config on stderr. */
export class ConfigFailed extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('the config has problems');
    this.name = 'ConfigFailed';
    this.problems = problems;
  }
}

/** The problems an error carries; null: it is about something else. */
export function configProblemsOf(error: unknown): readonly Problem[] | null {
  return error instanceof ConfigFailed || isConfigRefused(error) ? error.problems : null;
}

/** Told by its name: the class comes with the gateway, which is loaded for `serve` alone. */
function isConfigRefused(error: unknown): error is ConfigRefused {
  return error instanceof Error && error.name === 'ConfigRefused';
}

export function configOption(): Option {
  return new Option('--config <file>', 'the config file').default('gateway.config.yaml');
}

export type JsonOptions = { readonly json?: true; readonly table?: true };

/** For commands that list or show. */
export function tableOption(): Option {
  return new Option('--table', 'print what a terminal gets, in a pipe too').conflicts('json');
}

/** Tables are for people, JSON for whatever reads a pipe. */
export function isJson({ json, table }: JsonOptions, { terminal }: Shell): boolean {
  return json === true || (table !== true && terminal?.out !== true);
}

/** @throws ConfigFailed with every problem; fixtures are not run. */
export function configOf(file: string, shell: Shell, need: Need = 'everything'): LoadedConfig {
  const loading = loadConfig(file, shell.env, need);
  if (!loading.ok) throw new ConfigFailed(loading.problems);
  return loading.config;
}

/** As `configOf`, for commands that reach the store and nothing else: there are admin tokens too. */
export function storeConfigOf(file: string, shell: Shell): LoadedConfig {
  const config = configOf(file, shell, 'store');
  return { ...config, policy: withAdminType(config.policy) };
}

/** @throws CommandFailed `usage` where the words cannot be understood. */
export function understood<T>(checked: Checked<T>): T {
  if (checked.ok) return checked.value;
  throw new CommandFailed(exitCodes.usage, wordComplaint(checked.complaint));
}

/** @throws CommandFailed `refused`: the words were understood, and the answer is no; `usage` where they leave open what is meant. */
export function allowed<T>(checked: Checked<T>): T {
  if (checked.ok) return checked.value;
  const { complaint } = checked;
  const code = complaint.kind === 'unsaid' ? exitCodes.usage : exitCodes.refused;
  throw new CommandFailed(code, wordComplaint(complaint));
}

/** For arguments that name what is there: an empty one names nothing, and a token goes nowhere. */
export function named(text: string): string {
  if (text === '') {
    throw new CommandFailed(exitCodes.usage, 'an empty text names nothing; see that the variable is set');
  }
  if (!text.startsWith(adminPrefix)) return text;
  throw new CommandFailed(exitCodes.usage, 'that is an admin token, and no id; revoke it: others may see it');
}

/** For options that take how many. */
export function count(text: string): number {
  const number = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= 1000) return number;
  throw new CommandFailed(exitCodes.usage, `"${text}" is not how many; write a number from 1 to 1000`);
}

/** For options that take a time, in ms. */
export function duration(text: string): number {
  const parsed = parseDuration(text);
  if (parsed.ok) return parsed.value;
  throw new CommandFailed(exitCodes.usage, `${parsed.message}; ${parsed.hint}`);
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

export function printJson(shell: Shell, value: unknown): void {
  shell.out(`${JSON.stringify(value)}\n`);
}

/** What others wrote, for a terminal: nothing in it moves the cursor, hides or turns round. */
export function visible(text: string): string {
  const point = (found: string) => `\\u{${found.codePointAt(0)?.toString(16)}}`;
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, point);
}

const paints = { green: '32', red: '31', yellow: '33', dim: '2', bold: '1' } as const;

export function paint(shell: Shell, colour: keyof typeof paints, text: string): string {
  return shell.colours ? `\u001b[${paints[colour]}m${text}\u001b[0m` : text;
}

/** Columns as wide as their widest cell; the last is not padded. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
