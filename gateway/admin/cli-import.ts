/** `postern token import` and `postern pin import`: rows from elsewhere, a JSON object a line, read as they come. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { CommandFailed, configOption, exitCodes, printJson, type Shell, storeConfigOf } from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import { type Desk, type ImportReport, importTokens } from './operations.ts';
import { importPins } from './operations-pin.ts';
import { createProgress } from './progress.ts';

type Import = (desk: Desk, lines: AsyncIterable<string>) => Promise<ImportReport>;

type Options = {
  readonly config: string;
  readonly file: string;
  readonly dryRun?: true;
  readonly json?: true;
};

export function addImport(token: Command, shell: Shell): void {
  token
    .command('import')
    .description('add tokens kept elsewhere by their hashes; a row that is there already is skipped')
    .addOption(configOption())
    .requiredOption('--file <file>', 'JSON rows: {"type","sha256" | "bcrypt","lookup","label",…}')
    .option('--dry-run', 'say what would be imported, and import nothing')
    .option('--json', 'print {"imported","skipped","problems"}')
    .action((options: Options) => importFile(options, shell, importTokens));
}

export function addPinImport(pin: Command, shell: Shell): void {
  pin
    .command('import')
    .description('add what was pinned elsewhere; where something is pinned, it stays')
    .addOption(configOption())
    .requiredOption('--file <file>', 'JSON rows: {"pin","subject","value"}')
    .option('--dry-run', 'say what would be imported, and import nothing')
    .option('--json', 'print {"imported","skipped","problems"}')
    .action((options: Options) => importFile(options, shell, importPins));
}

async function importFile(
  { config: configFile, file, dryRun, json }: Options,
  shell: Shell,
  importRows: Import,
): Promise<void> {
  const isDry = dryRun === true;
  const config = storeConfigOf(configFile, shell);
  const handle = await open(file).catch(() => {
    throw new CommandFailed(exitCodes.refused, `cannot read ${file}; give --file a file of JSON rows`);
  });
  try {
    // The reader starts inside: lines read before anyone listens are lost.
    const work = (desk: Desk) => importRows(desk, counted(handle.readLines({ autoClose: false }), shell));
    const report = isDry ? await onTrial(config, shell, work) : await atDesk(config, 'create', shell, work);
    if (report === null) return;
    if (json) printJson(shell, isDry ? { ...report, dry_run: true } : report);
    else {
      for (const { line, message } of report.problems) shell.err(`${file}:${line}: ${message}\n`);
      const { imported, skipped, problems } = report;
      const would = isDry ? 'would be ' : '';
      shell.out(
        `${imported} ${would}imported, ${skipped} ${would}skipped, ${problems.length} ${would}refused\n`,
      );
    }
    if (report.problems.length > 0) shell.exit(exitCodes.refused);
  } finally {
    await handle.close();
  }
}

/** Where there is no database yet, in an empty one that goes again: a dry run makes none. */
async function onTrial(
  config: LoadedConfig,
  shell: Shell,
  work: (desk: Desk) => Promise<ImportReport>,
): Promise<ImportReport | null> {
  const isThere = await atDesk(config, 'read', shell, () => true);
  if (isThere === true) return atDesk(config, 'change', shell, work, 'cli', true);
  const folder = await mkdtemp(join(tmpdir(), 'postern-dry-'));
  try {
    const store = { path: join(folder, 'postern.db') };
    return await atDesk({ ...config, store }, 'create', shell, work, 'cli', true);
  } finally {
    await rm(folder, { recursive: true, force: true });
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
