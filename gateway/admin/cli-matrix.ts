/** `postern matrix`: rows by token types, for people, scripts and documents. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { askGateway } from './cli-ask.ts';
import { atPlace, type PlaceOptions, placeOf } from './cli-place.ts';
import {
  allowed,
  CommandFailed,
  configOf,
  exitCodes,
  formatTable,
  isJson,
  type JsonOptions,
  paint,
  printJson,
  type Shell,
  tableOption,
} from './cli-shell.ts';
import { type Matrix, matrixOf } from './matrix.ts';
import { firstDifference, matrixMarkdown, matrixTable } from './matrix-table.ts';

type Options = PlaceOptions & JsonOptions & { readonly markdown?: true; readonly check?: string };

export function addMatrix(program: Command, shell: Shell): void {
  atPlace(program.command('matrix'))
    .description('rows by token types, with what each asks')
    .addOption(
      new Option('--json', 'print {"types","annotations","rows","scopes","token_types","cors"}').conflicts([
        'markdown',
        'check',
      ]),
    )
    .addOption(tableOption())
    .addOption(new Option('--markdown', 'print Markdown tables').conflicts('check'))
    .option('--check <file>', 'compare with Markdown tables that were kept; 1 where they differ')
    .action((options: Options) => print(options, shell));
}

async function print(options: Options, shell: Shell): Promise<void> {
  const { markdown, check } = options;
  const place = placeOf(options, shell);
  const matrix =
    place.kind === 'store'
      ? matrixOf(configOf(place.file, shell).policy)
      : allowed(await askGateway<Matrix>(place.api, { name: 'showMatrix' }));
  if (check !== undefined) compare(matrix, check, shell);
  else if (markdown) shell.out(matrixMarkdown(matrix));
  else if (isJson(options, shell)) printJson(shell, matrix);
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
