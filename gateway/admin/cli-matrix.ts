/** `postern matrix`: rows by token types, for people, scripts and documents. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  CommandFailed,
  configOf,
  configOption,
  exitCodes,
  formatTable,
  paint,
  printJson,
  type Shell,
} from './cli-shell.ts';
import { type Matrix, matrixOf } from './matrix.ts';
import { firstDifference, matrixMarkdown, matrixTable } from './matrix-table.ts';

type Options = {
  readonly config: string;
  readonly json?: true;
  readonly markdown?: true;
  readonly check?: string;
};

export function addMatrix(program: Command, shell: Shell): void {
  program
    .command('matrix')
    .description('rows by token types, with what each asks')
    .addOption(configOption())
    .addOption(
      new Option('--json', 'print {"types","annotations","rows","scopes","token_types","cors"}').conflicts([
        'markdown',
        'check',
      ]),
    )
    .addOption(new Option('--markdown', 'print Markdown tables').conflicts('check'))
    .option('--check <file>', 'compare with Markdown tables that were kept; 1 where they differ')
    .action((options: Options) => print(options, shell));
}

function print({ config, json, markdown, check }: Options, shell: Shell): void {
  const matrix = matrixOf(configOf(config, shell).policy);
  if (check !== undefined) compare(matrix, check, shell);
  else if (json) printJson(shell, matrix);
  else if (markdown) shell.out(matrixMarkdown(matrix));
  else {
    const [header = '', ...rows] = formatTable(matrixTable(matrix));
    shell.out(`${[paint(shell, 'bold', header), ...rows].join('\n')}\n`);
  }
}

function compare(matrix: Matrix, file: string, shell: Shell): void {
  const difference = firstDifference(matrixMarkdown(matrix), textOf(file));
  if (difference === null) {
    shell.out(`${file} is what the config says\n`);
    return;
  }
  const { line, expected, found } = difference;
  shell.out(`${file}:${line}: differs from the config\n`);
  shell.out(`  file:   ${found ?? '(ends before)'}\n`);
  shell.out(`  config: ${expected ?? '(ends before)'}\n`);
  shell.exit(exitCodes.refused);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new CommandFailed(
      exitCodes.refused,
      `cannot read ${file}; write it with: postern matrix --markdown`,
    );
  }
}
