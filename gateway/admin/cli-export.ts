/** `postern token export`: rows as `token import` reads them, a JSON object a line, on stdout. */
import type { Command } from 'commander';
import { attributesOfPairs, typeNamed } from '../../policy/token-input.ts';
import { storeName } from '../config/store-settings.ts';
import {
  allowed,
  CommandFailed,
  collect,
  configOption,
  exitCodes,
  printJson,
  type Shell,
  storeConfigOf,
} from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import { type Exported, exportTokens } from './operations-export.ts';

type Options = {
  readonly config: string;
  readonly type?: string;
  readonly attribute: readonly string[];
  readonly all?: true;
};

const none: readonly string[] = [];

export function addExport(token: Command, shell: Shell): void {
  token
    .command('export')
    .description('print tokens that live as rows for import, by what is kept of them: never a token')
    .addOption(configOption())
    .option('--type <type>', 'of this type only')
    .option('--attribute <name=value>', 'with --type: that have this (several)', collect, none)
    .option('--all', 'those too that were revoked, expired or retired; they stay so')
    .action((options: Options) => exportAll(options, shell));
}

async function exportAll({ config: file, type: name, attribute, all }: Options, shell: Shell): Promise<void> {
  const config = storeConfigOf(file, shell);
  if (name === undefined && attribute.length > 0) {
    throw new CommandFailed(exitCodes.usage, 'attributes of no type; add --type');
  }
  const type = name === undefined ? null : allowed(typeNamed(config.policy, name));
  const attributes = type === null ? new Map() : allowed(attributesOfPairs(type, attribute));
  const request = { type: type?.name ?? null, attributes, all: all === true };
  const exported = await atDesk(config, 'change', shell, (desk) =>
    exportTokens(desk, request, (row) => {
      printJson(shell, row);
      return shell.drained?.();
    }),
  );
  if (exported === null) {
    throw new CommandFailed(exitCodes.refused, `there is no database yet at ${storeName(config.store)}`);
  }
  const { exported: count } = exported;
  const rest = leftOutWords(exported);
  if (shell.terminal?.err === true || rest !== '')
    shell.err(`${count} token${count === 1 ? '' : 's'} exported${rest}\n`);
}

const both = '--all without --attribute takes them along with those';

function leftOutWords({ leftOut: { foreign, alike, peppered } }: Exported): string {
  const reasons = [
    [foreign, "operators' own, or of a type the config lacks"],
    [alike, `perhaps the same as tokens that ended, which only bcrypt could tell; ${both}`],
    [peppered, `perhaps the same as tokens that ended, under another entry of hash.pepper; ${both}`],
  ] as const;
  return reasons.map(([count, why]) => (count === 0 ? '' : `; ${count} left out: ${why}`)).join('');
}
