/** `postern check`: every problem of a config at once, its fixtures run. Starts and opens nothing. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { readDocument } from '../config/document.ts';
import { effectiveConfig } from '../config/effective.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { formatProblem, type Problem } from '../config/problems.ts';
import { runFixtures } from '../fixtures.ts';
import { configOption, exitCodes, paint, printJson, type Shell } from './cli-shell.ts';

type Options = { readonly config: string; readonly json?: true; readonly defaults?: true };

export function addCheck(program: Command, shell: Shell): void {
  program
    .command('check')
    .description('judge a config and run its fixtures, without starting anything')
    .addOption(configOption())
    .addOption(new Option('--json', 'print {"ok","problems","warnings"}').conflicts('defaults'))
    .option('--defaults', 'print the config with every default written out, instead')
    .action((options: Options) => check(options, shell));
}

async function check({ config: file, json, defaults }: Options, shell: Shell): Promise<void> {
  const loading = loadConfig(file, shell.env);
  const problems = loading.ok ? await runFixtures(loading.config) : loading.problems;
  const warnings = loading.ok ? loading.config.warnings : [];
  const ok = problems.length === 0;
  if (defaults && ok) {
    printDefaults(file, shell);
  } else if (json) {
    printJson(shell, { ok, problems: problems.map(problemShape), warnings: warnings.map(problemShape) });
  } else {
    printProblems(shell, problems, warnings);
    shell.out(`${ok && loading.ok ? summary(loading.config) : counted(problems.length, 'problem')}\n`);
  }
  if (!ok) shell.exit(exitCodes.config);
}

/** Warnings were for whoever wrote the file; this is for reading, or for the next file. */
function printDefaults(file: string, shell: Shell): void {
  const reading = readDocument(readFileSync(file, 'utf8'));
  if (reading.ok) shell.out(effectiveConfig(reading.document.value));
}

/** The contract has no `file`: there is one, and the caller named it. */
export function problemShape({ path, line, column, message, hint }: Problem): Omit<Problem, 'file'> {
  return { path, line, column, message, hint };
}

export function printProblems(
  shell: Shell,
  problems: readonly Problem[],
  warnings: readonly Problem[],
): void {
  for (const problem of problems) shell.out(`${paint(shell, 'red', formatProblem(problem))}\n`);
  for (const warning of warnings) {
    shell.out(`${paint(shell, 'yellow', `${formatProblem(warning)} (warning)`)}\n`);
  }
}

function summary({ file, policy, fixtures, warnings }: LoadedConfig): string {
  const parts = [
    counted(policy.routes.length, 'row'),
    counted(policy.types.size, 'token type'),
    `${counted(fixtures.length, 'fixture')} passed`,
    counted(warnings.length, 'warning'),
  ];
  return `${file}: ok (${parts.join(', ')})`;
}

export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
