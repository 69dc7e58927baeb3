/** `postern scan`: tokens of ours in files, on stdin and in git histories; told by id, and ended with `--revoke`. */
import { type Command, Option } from 'commander';
import { leakPatterns, scannedTypes } from '../../policy/leak-patterns.ts';
import { ownTypeNamed } from '../../policy/token-input.ts';
import type { TokenType } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { formatSize, parseSize } from '../../policy/units.ts';
import type { LoadedConfig } from '../config/load.ts';
import { storeName } from '../config/store-settings.ts';
import {
  allowed,
  CommandFailed,
  collect,
  configOf,
  configOption,
  exitCodes,
  formatTable,
  isJson,
  type JsonOptions,
  paint,
  printJson,
  type Shell,
  tableOption,
  visible,
} from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import type { Desk } from './operations.ts';
import { createProgress } from './progress.ts';
import { type Finding, Scan } from './scan.ts';
import { candidateFinder } from './scan-candidates.ts';
import { excludesOf } from './scan-files.ts';
import { Judge } from './scan-judge.ts';
import { revocable, revokeFound } from './scan-revoke.ts';

type Options = JsonOptions & {
  readonly config: string;
  readonly history?: true;
  readonly types?: readonly string[];
  readonly exclude: readonly string[];
  readonly maxBytes: number;
  readonly offline?: true;
  readonly unverified?: true;
  readonly revoke?: true;
  readonly patterns?: true;
};

/** A scan that is over; `trouble`: why candidates could not be looked up, null: they were, or were not to be. */
type Scanned = { readonly scan: Scan; readonly trouble: string | null };

const stdinPath = '-';
const defaultMaxBytes = 10 * 1024 ** 2;

export function addScan(program: Command, shell: Shell): void {
  program
    .command('scan')
    .description('find tokens of ours where they should not be: in files, on stdin, in git histories')
    .argument('[paths...]', 'files and folders; - is stdin')
    .addOption(configOption())
    .option('--history', 'also all that the refs of the git repository at each path lead to')
    .option('--types <types>', 'of these types only: a,b', (text) => text.split(','))
    .option(
      '--exclude <pattern>',
      'leave out files and folders: node_modules, *.map, dist/old (several)',
      collect,
      [],
    )
    .addOption(
      new Option('--max-bytes <size>', 'skip what is larger')
        .argParser(size)
        .default(defaultMaxBytes, formatSize(defaultMaxBytes)),
    )
    .option('--offline', 'ask no store: what a checksum proves is found, the rest is counted')
    .option('--unverified', 'tell also what could not be looked up')
    .option('--revoke', 'end what was found and still works, once you said yes; asks nobody in a pipe')
    .option('--patterns', 'print a regular expression per type and prefix, for other scanners, and end')
    .option('--json', 'print one line, as where stdout is no terminal')
    .addOption(tableOption())
    .addHelpText(
      'after',
      '\nEnds with 0 where nothing is found, with 1 where something is or not all could be read.',
    )
    .action((paths: readonly string[], options: Options) => scan(paths, options, shell));
}

async function scan(paths: readonly string[], options: Options, shell: Shell): Promise<void> {
  checkWords(paths, options);
  const config = configOf(options.config, shell, options.offline || options.patterns ? 'shapes' : 'store');
  const types = typesOf(config.policy, options.types);
  if (options.patterns) return printPatterns(types, options, shell);
  const { scan, trouble } = await scanned(paths, options, config, types, shell);
  for (const problem of scan.problems) shell.err(`${visible(problem)}\n`);
  if (trouble !== null) shell.err(`${trouble}\n`);
  if (isJson(options, shell)) {
    const revoked = options.revoke ? await revoke(scan.findings, config, shell) : [];
    const { files, objects, bytes, skipped, unverified } = scan.tally;
    const { findings, problems } = scan;
    const counted = { scanned: { files, objects, bytes }, skipped, unverified };
    printJson(shell, {
      findings,
      revoked,
      ...counted,
      problems: [...problems, ...(trouble === null ? [] : [trouble])],
    });
  } else {
    tell(scan, options, shell);
    const revoked = options.revoke ? await revoke(scan.findings, config, shell) : [];
    for (const id of revoked) shell.out(`${id} is revoked\n`);
  }
  // Not having seen everything is no clean bill.
  if (scan.findings.length > 0 || scan.problems.length > 0 || trouble !== null) shell.exit(exitCodes.refused);
}

function checkWords(paths: readonly string[], { patterns, offline, revoke, exclude }: Options): void {
  const usage = (message: string) => new CommandFailed(exitCodes.usage, message);
  if (paths.length === 0 && !patterns) throw usage('nothing to scan; name a file or folder, or - for stdin');
  if (offline && revoke) throw usage('--revoke needs the store; leave --offline out');
  const deep = exclude.find((pattern) => pattern.includes('**') || pattern.replace(/[/.]/g, '') === '');
  if (deep !== undefined) {
    throw usage(
      'a pattern of --exclude is a name (node_modules, *.map) or a path below the scanned one; ** is not known',
    );
  }
}

function typesOf(policy: Policy, names: readonly string[] | undefined): readonly TokenType[] {
  if (names === undefined) return scannedTypes(policy);
  return [...new Set(names)].map((name) => allowed(ownTypeNamed(policy, name)));
}

async function scanned(
  paths: readonly string[],
  options: Options,
  config: LoadedConfig,
  types: readonly TokenType[],
  shell: Shell,
): Promise<Scanned> {
  let isOpen = false;
  let trouble: string | null = null;
  if (!options.offline) {
    try {
      const answer = await atDesk(config, 'read', shell, (desk) => {
        isOpen = true;
        return scanAll(paths, options, config, types, shell, desk);
      });
      if (answer !== null) return answer;
      trouble = unjudged(`there is no database yet at ${storeName(config.store)}`);
    } catch (error) {
      if (isOpen || !(error instanceof CommandFailed)) throw error;
      trouble = unjudged(error.message);
    }
  }
  const answer = await scanAll(paths, options, config, types, shell, null);
  return answer.scan.tally.unverified === 0 && answer.scan.findings.length === 0
    ? answer
    : { ...answer, trouble };
}

async function scanAll(
  paths: readonly string[],
  options: Options,
  { policy }: LoadedConfig,
  types: readonly TokenType[],
  shell: Shell,
  desk: Desk | null,
): Promise<Scanned> {
  const tellsUnverified = options.unverified === true;
  const judge = new Judge({ policy, tokens: desk?.tokens ?? null, tellsUnverified, now: shell.now });
  const progress = createProgress(shell);
  const scan = new Scan({
    find: candidateFinder(policy, types),
    judge,
    excludes: excludesOf(options.exclude),
    maxBytes: options.maxBytes,
    env: shell.env,
    onProgress: () => progress.show(() => wordsOf(scan)),
  });
  try {
    for (const path of paths) {
      if (path === stdinPath) await scan.stdin(shell.stdin?.() ?? nothing());
      else await scan.files(path);
      if (options.history && path !== stdinPath) await scan.history(path);
    }
  } finally {
    progress.end();
  }
  return { scan, trouble: judge.trouble };
}

function wordsOf({ tally: { files, objects, bytes }, findings }: Scan): string {
  const read = `${files} files, ${objects} git objects, ${Math.floor(bytes / 1024 ** 2)} MiB`;
  return `scanning: ${read}, ${findings.length} found`;
}

function unjudged(why: string): string {
  return `${why.replace(/\.$/, '')}: what has no checksum was not judged; scan where the store can be reached, or with --offline`;
}

async function* nothing(): AsyncGenerator<Buffer> {}

/** @returns the ids of the tokens that ended now. */
async function revoke(
  findings: readonly Finding[],
  config: LoadedConfig,
  shell: Shell,
): Promise<readonly string[]> {
  const ids = revocable(findings);
  if (ids.size === 0) return [];
  const ask = shell.terminal?.ask ?? null;
  const question = ids.size === 1 ? 'revoke this token?' : `revoke these ${ids.size} tokens?`;
  if (ask !== null && !(await ask(question))) {
    shell.err('nothing was revoked\n');
    return [];
  }
  return (await atDesk(config, 'change', shell, (desk) => revokeFound(desk, ids))) ?? [];
}

function printPatterns(types: readonly TokenType[], options: Options, shell: Shell): void {
  const patterns = leakPatterns(types);
  if (isJson(options, shell)) {
    printJson(shell, { patterns });
    return;
  }
  const lines = patterns.map(({ type, checksum, regex }) => [type, checksum ?? '-', regex]);
  const [header = '', ...rows] = formatTable([
    ['TYPE', 'CHECKSUM', 'REGEX (group 1 is the token)'],
    ...lines,
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...rows].join('\n')}\n`);
}

function tell(scan: Scan, { maxBytes, revoke }: Options, shell: Shell): void {
  const { findings, tally } = scan;
  if (findings.length > 0) {
    const [header = '', ...rows] = formatTable([
      ['STATE', 'TYPE', 'ID', 'LABEL', 'TOKEN', 'WHERE'],
      ...findings.map(rowOf),
    ]);
    shell.out(`${[paint(shell, 'bold', header), ...rows].join('\n')}\n`);
  }
  const { binary, large, excluded, link, special } = tally.skipped;
  const skips = [
    [binary, 'binary'],
    [large, `over ${formatSize(maxBytes)} (--max-bytes)`],
    [excluded, 'excluded'],
    [link, 'links'],
    [special, 'neither file nor folder'],
  ] as const;
  const skipped = skips.filter(([count]) => count > 0).map(([count, why]) => `${count} ${why}`);
  const { files, objects, bytes, unverified } = tally;
  const read = `${files} files${objects > 0 ? ` and ${objects} git objects` : ''}, ${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  shell.err(
    `${findings.length} found in ${read}${skipped.length > 0 ? `; skipped: ${skipped.join(', ')}` : ''}\n`,
  );
  if (unverified > 0)
    shell.err(`${unverified} look like tokens and were not looked up; --unverified tells where\n`);
  if (!revoke && revocable(findings).size > 0)
    shell.err('end what still works: postern token revoke ID, or --revoke\n');
}

function rowOf(finding: Finding): readonly string[] {
  const { state, type, id, label, preview } = finding;
  return [state, type, id ?? '-', visible(label ?? '-'), preview, placeOf(finding)];
}

/** As editors and git take it. */
function placeOf({ where, path, line, column, commit, date }: Finding): string {
  const name = visible(path ?? (where === 'history' ? '?' : where));
  const spot = line === null ? name : `${name}:${line}:${column}`;
  if (where === 'name') return `${spot} (its name)`;
  return commit === null ? spot : `${commit.slice(0, 12)}:${spot}${date === null ? '' : ` (${date})`}`;
}

function size(text: string): number {
  const parsed = parseSize(text);
  if (parsed.ok) return parsed.value;
  throw new CommandFailed(exitCodes.usage, `${parsed.message}; ${parsed.hint}`);
}
