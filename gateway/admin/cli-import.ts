/** `postern token import` and `postern pin import`: rows from elsewhere, a JSON object a line, read as they come. */
import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { CommandFailed, configOption, exitCodes, printJson, type Shell, storeConfigOf } from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import { type Desk, type ImportReport, importTokens } from './operations.ts';
import { importPins } from './operations-pin.ts';
import { createProgress } from './progress.ts';

type Import = (desk: Desk, lines: AsyncIterable<string>) => Promise<ImportReport>;

type Options = { readonly config: string; readonly file: string; readonly json?: true };

export function addImport(token: Command, shell: Shell): void {
  token
    .command('import')
    .description('add tokens kept elsewhere by their hashes; a row that is there already is skipped')
    .addOption(configOption())
    .requiredOption('--file <file>', 'JSON rows: {"type","sha256" | "bcrypt","lookup","label",…}')
    .option('--json', 'print {"imported","skipped","problems"}')
    .action((options: Options) => importFile(options, shell, importTokens));
}

export function addPinImport(pin: Command, shell: Shell): void {
  pin
    .command('import')
    .description('add what was pinned elsewhere; where something is pinned, it stays')
    .addOption(configOption())
    .requiredOption('--file <file>', 'JSON rows: {"pin","subject","value"}')
    .option('--json', 'print {"imported","skipped","problems"}')
    .action((options: Options) => importFile(options, shell, importPins));
}

async function importFile(
  { config: configFile, file, json }: Options,
  shell: Shell,
  importRows: Import,
): Promise<void> {
  const config = storeConfigOf(configFile, shell);
  const handle = await open(file).catch(() => {
    throw new CommandFailed(exitCodes.refused, `cannot read ${file}; give --file a file of JSON rows`);
  });
  try {
    // The reader starts inside: lines read before anyone listens are lost.
    const report = await atDesk(config, 'create', shell, (desk) =>
      importRows(desk, counted(handle.readLines({ autoClose: false }), shell)),
    );
    if (report === null) return;
    if (json) printJson(shell, report);
    else {
      for (const { line, message } of report.problems) shell.err(`${file}:${line}: ${message}\n`);
      shell.out(
        `${report.imported} imported, ${report.skipped} skipped, ${report.problems.length} refused\n`,
      );
    }
    if (report.problems.length > 0) shell.exit(exitCodes.refused);
  } finally {
    await handle.close();
  }
}

/** Tells how many lines were read so far, where a person sees it. */
async function* counted(lines: AsyncIterable<string>, shell: Shell): AsyncGenerator<string> {
  const progress = createProgress(shell);
  let count = 0;
  try {
    for await (const line of lines) {
      count++;
      progress.show(() => `importing: ${count} rows`);
      yield line;
    }
  } finally {
    progress.end();
  }
}
