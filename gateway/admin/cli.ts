/** The terminal face: `postern COMMAND`. Reads words and words answers; what is done is done elsewhere. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { stripVTControlCharacters } from 'node:util';
import { Command, CommanderError, Help, type Option } from 'commander';
import { adminPrefix } from '../../policy/admin-type.ts';
import { formatProblem } from '../config/problems.ts';
import { askSecret } from './ask-secret.ts';
import { addAlerts } from './cli-alerts.ts';
import { addAudit } from './cli-audit.ts';
import { addCheck } from './cli-check.ts';
import { addDiff } from './cli-diff.ts';
import { addExamples } from './cli-examples.ts';
import { addExplain } from './cli-explain.ts';
import { addLogin } from './cli-login.ts';
import { addMatrix } from './cli-matrix.ts';
import { addMcp } from './cli-mcp.ts';
import { addOperator } from './cli-operator.ts';
import { addPin } from './cli-pin.ts';
import { addProbe } from './cli-probe.ts';
import { addReload } from './cli-reload.ts';
import { addScan } from './cli-scan.ts';
import { addServe } from './cli-serve.ts';
import {
  CommandFailed,
  configProblemsOf,
  type ExitCode,
  exitCodes,
  type Shell,
  visible,
} from './cli-shell.ts';
import { addTail } from './cli-tail.ts';
import { addToken } from './cli-token.ts';
import { addUsage } from './cli-usage.ts';

/** Runs one command. Never throws; the answer is the exit code. */
export async function run(argv: readonly string[], streams: Omit<Shell, 'exit'>): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok;
  const shell: Shell = {
    ...streams,
    exit: (code) => {
      exitCode = code;
    },
  };
  try {
    await commands(shell).parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander ends `help` with the code that the process has until a command is through.
    const isHelp =
      error instanceof CommanderError && error.code === 'commander.help' && argv.includes('help');
    return isHelp ? exitCodes.ok : reportFailure(error, shell);
  }
}

function commands(shell: Shell): Command {
  const program = new Command('postern')
    .description('The side gate beside a service: tokens, a scope matrix, pins and rate limits.')
    .version(version(), '-V, --version', 'print which version this is')
    .exitOverride()
    .configureOutput({
      writeOut: shell.out,
      writeErr: shell.err,
      outputError: (text) => shell.err(`${oneLine(text)}\n`),
      getOutHasColors: () => shell.colours,
      getErrHasColors: () => shell.colours,
    })
    .configureHelp({ optionDescription })
    .addHelpText(
      'after',
      "\nTokens, pins, probes and the audit are looked after beside a store, --config FILE, or by the admin API of a\ngateway, --url URL or postern login. Every command's own --help ends with an example.",
    );
  addServe(program);
  addCheck(program, shell);
  addMatrix(program, shell);
  addDiff(program, shell);
  addExplain(program, shell);
  addReload(program, shell);
  addToken(program, shell);
  addPin(program, shell);
  addProbe(program, shell);
  addUsage(program, shell);
  addTail(program, shell);
  addAlerts(program, shell);
  addAudit(program, shell);
  addScan(program, shell);
  addMcp(program, shell);
  addOperator(program, shell);
  addLogin(program, shell);
  addExamples(program);
  return program;
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}

/** That nothing was given yet is no default worth a word; a choice of several is shown as it is written. */
function optionDescription(this: Help, option: Option): string {
  const { defaultValue, description } = option;
  if (Array.isArray(defaultValue) && defaultValue.length === 0) return description;
  if (defaultValue instanceof Set) return `${description} (default: ${[...defaultValue].join(',')})`;
  return Help.prototype.optionDescription.call(this, option);
}

/** Words about words that were not understood, and what to do about it. */
function oneLine(text: string): string {
  const [, near = null] = /\(Did you mean (.*)\?\)/s.exec(text) ?? [];
  const words = withoutValues(text.split('\n', 1)[0] ?? '').replace(/[.\s]+$/, '');
  if (words.includes("unknown option '--url'")) return `${words}; it works beside a store: --config FILE`;
  if (words.includes("unknown option '--config'")) return `${words}; it asks a gateway that runs: --url URL`;
  if (/too many arguments for .* Expected 0 /.test(words)) return `${words}; ${onlyOptions}`;
  return `${words}; ${near === null ? 'add --help for what can be written' : `did you mean ${near}?`}`;
}

const onlyOptions =
  'everything here goes by options, and one that takes several is written again for each: --config FILE, --scope A --scope B';

/** What stands where nothing should may be a secret: values of unknown options and stray words are left out. */
function withoutValues(text: string): string {
  return withoutTokens(text)
    .replace(/'(--?[A-Za-z][A-Za-z-]*)=[^\n]*'/g, "'$1'")
    .replace(/(but got [0-9]+): [^\n]*/g, '$1');
}

const adminToken = new RegExp(`${adminPrefix}[0-9A-Za-z]+`, 'g');

/** Operators' own are known by sight, wherever they were pasted. */
function withoutTokens(text: string): string {
  return text.replace(adminToken, `${adminPrefix}…`);
}

function reportFailure(error: unknown, shell: Shell): ExitCode {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  const problems = configProblemsOf(error);
  if (problems !== null) {
    for (const problem of problems) shell.err(`${formatProblem(problem)}\n`);
    return exitCodes.config;
  }
  const message = error instanceof Error ? error.message : 'something that is not an error was thrown';
  shell.err(`error: ${withoutTokens(visible(message.split('\n', 1)[0] ?? ''))}\n`);
  if (shell.env.POSTERN_DEBUG === '1' && error instanceof Error) shell.err(`${error.stack}\n`);
  return error instanceof CommandFailed ? error.exitCode : exitCodes.refused;
}

/** Runs the process's own command. What keeps running (`serve`) keeps the process alive. */
export async function main(): Promise<void> {
  // The reader may stop early (`postern token list | head -1`): that is not a failure.
  process.stdout.on('error', (error: Error & { code?: string }) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  // Should a command never come to its end, that is no success.
  process.exitCode = exitCodes.refused;
  const exitCode = await run(process.argv.slice(2), {
    env: process.env,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(process.stderr.isTTY ? text : stripVTControlCharacters(text)),
    drained: async () => {
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
    },
    colours: process.stdout.isTTY === true && !process.env.NO_COLOR,
    terminal: {
      out: process.stdout.isTTY === true,
      err: process.stderr.isTTY === true,
      ask: process.stdin.isTTY && process.stderr.isTTY ? askOnce : null,
      askSecret: process.stdin.isTTY && process.stderr.isTTY ? askHidden : null,
    },
    stdin: () => process.stdin,
    now: Date.now,
  });
  // A `serve` that failed half-way may have left something open that would keep the process.
  if (exitCode !== exitCodes.ok) process.exit(exitCode);
  process.exitCode = exitCode;
}

function askHidden(question: string): Promise<string> {
  return askSecret(process.stdin, (text) => void process.stderr.write(text), question);
}

async function askOnce(question: string): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `)).trim());
  } finally {
    asking.close();
  }
}
