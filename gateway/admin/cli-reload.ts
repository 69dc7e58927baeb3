/** `postern reload`: the gateway that runs takes its config file anew, and says what became of it. By its admin API alone. */
import { type Command, Option } from 'commander';
import type { Problem } from '../config/problems.ts';
import { askGateway } from './cli-ask.ts';
import { counted, printProblems, problemShape } from './cli-check.ts';
import { apiOf, type PlaceOptions, withUrl } from './cli-place.ts';
import {
  allowed,
  CommandFailed,
  ConfigFailed,
  exitCodes,
  printJson,
  type Shell,
  visible,
} from './cli-shell.ts';

type Options = PlaceOptions & { readonly dryRun?: true; readonly ifVersion?: string; readonly json?: true };

type ReloadView = {
  readonly file: string;
  readonly version: string;
  readonly sha256: string;
  readonly before: string;
  readonly warnings: readonly Problem[];
};

export function addReload(program: Command, shell: Shell): void {
  withUrl(program.command('reload'))
    .description('have the gateway that runs take its config file anew: whole, or not at all')
    .option('--dry-run', 'say what would become of it, and change nothing')
    .option('--if-version <version>', 'only if that is the file still, as a dry run has told it')
    .option('--json', 'print {"ok","problems","warnings"}')
    .addOption(new Option('--config <file>').hideHelp())
    .action((options: Options) => reload(options, shell));
}

async function reload(options: Options, shell: Shell): Promise<void> {
  if (options.config !== undefined) {
    throw new CommandFailed(
      exitCodes.usage,
      'which gateway runs by a file cannot be told; say where its admin listener is, --url URL, or send it SIGHUP, or start it with --watch',
    );
  }
  const api = apiOf(options, shell);
  const isDry = options.dryRun === true;
  const words = isDry ? ['would be', 'would stay'] : ['is', 'stays'];
  try {
    const body = options.ifVersion === undefined ? {} : { if_version: options.ifVersion };
    const view = allowed(await askGateway<ReloadView>(api, { name: 'reloadConfig', body, isDry }));
    const { file, version, sha256, before, warnings } = view;
    if (options.json) {
      const shown = warnings.map(problemShape);
      return printJson(shell, { ok: true, problems: [], warnings: shown, version, sha256 });
    }
    printProblems(shell, [], warnings);
    const change = version === before ? `, as before (${version})` : ` (${before} -> ${version})`;
    shell.out(`${visible(file)} ${words[0]} in force${visible(change)}\n`);
  } catch (error) {
    if (!(error instanceof ConfigFailed)) throw error;
    const { problems } = error;
    if (options.json) printJson(shell, { ok: false, problems: problems.map(problemShape), warnings: [] });
    else {
      printProblems(shell, problems, []);
      shell.out(`${counted(problems.length, 'problem')}; the config before ${words[1]} in force\n`);
    }
    shell.exit(exitCodes.config);
  }
}
