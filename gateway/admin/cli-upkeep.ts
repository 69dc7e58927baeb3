/** `postern audit verify|purge` and `postern token purge`: straight on the store, beside a gateway that may be running. */
import type { Command } from 'commander';
import { parseDuration } from '../../policy/units.ts';
import type { AuditHead } from '../../store/audit-store.ts';
import { storeName } from '../config/store-settings.ts';
import {
  allowed,
  CommandFailed,
  configOption,
  duration,
  exitCodes,
  printJson,
  type Shell,
  storeConfigOf,
  understood,
} from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import { headOf, purgeAudit, purgeBeforeDefault, purgeTokens, verifyAudit } from './operations-upkeep.ts';
import { purgedView, verdictView } from './upkeep-view.ts';

type VerifyOptions = { readonly config: string; readonly head?: AuditHead; readonly json?: true };

type PurgeOptions = {
  readonly config: string;
  readonly before?: number;
  readonly dryRun?: true;
  readonly json?: true;
};

export function addAuditUpkeep(audit: Command, shell: Shell): void {
  audit
    .command('verify')
    .description('whether rows are still as they were written: 0 yes, 1 no')
    .addOption(configOption())
    .option('--head <seq:mac>', 'a head that the log told: it must be in the chain', (text) =>
      understood(headOf(text)),
    )
    .option('--json', 'print {"ok","rows","first","begun","head","unsealed","flaw"}')
    .action((options: VerifyOptions) => verify(options, shell));
  addPurge(audit, shell, 'remove the oldest rows; the chain goes on from there', 'row', purgeAudit);
}

export function addTokenPurge(token: Command, shell: Shell): void {
  const description = 'remove tokens for good that were revoked, expired or retired long ago';
  addPurge(token, shell, description, 'token', purgeTokens);
}

function addPurge(
  command: Command,
  shell: Shell,
  description: string,
  noun: string,
  operation: typeof purgeTokens,
): void {
  command
    .command('purge')
    .description(description)
    .addOption(configOption())
    .option('--before <duration>', `how long ago, 1d at least (${purgeBeforeDefault})`, duration)
    .option('--dry-run', 'say how many would go, and change nothing')
    .option('--json', 'print {"before","purged"}')
    .action((options: PurgeOptions) => purge(options, shell, noun, operation));
}

async function verify({ config: file, head, json }: VerifyOptions, shell: Shell): Promise<void> {
  const config = storeConfigOf(file, shell);
  const verdict = await atDesk(config, 'read', shell, (desk) => verifyAudit(desk, head ?? null));
  if (verdict === null) throw noDatabase(storeName(config.store));
  const view = verdictView(verdict);
  if (json) printJson(shell, view);
  else {
    const { rows, first, begun, head: end, flaw } = view;
    if (first !== null && end !== null) {
      const plural = rows === 1 ? 'row follows' : 'rows follow';
      shell.out(`${rows} ${plural} one another, from ${first.seq} of ${first.at} to ${end.seq}:${end.mac}\n`);
    } else shell.out('no rows follow one another\n');
    if (begun !== null)
      shell.out(`the chain began at ${begun.at}, over what was there before ${begun.seq}\n`);
    if (flaw !== null) {
      const where = [flaw.seq === null ? [] : `at ${flaw.seq}`, flaw.id ?? []].flat().join(', ');
      shell.out(`${where === '' ? '' : `${where}: `}${flaw.message}\n`);
    }
  }
  if (!view.ok) shell.exit(exitCodes.refused);
}

async function purge(
  { config: file, before = daysDefault(), dryRun, json }: PurgeOptions,
  shell: Shell,
  noun: string,
  operation: typeof purgeTokens,
): Promise<void> {
  const config = storeConfigOf(file, shell);
  const isDry = dryRun === true;
  const answer = await atDesk(config, 'change', shell, (desk) => operation(desk, before), 'cli', isDry);
  if (answer === null) throw noDatabase(storeName(config.store));
  const view = purgedView(allowed(answer));
  if (json) return printJson(shell, isDry ? { ...view, dry_run: true } : view);
  const what = `${view.purged} ${noun}${view.purged === 1 ? '' : 's'} from before ${view.before}`;
  shell.out(isDry ? `${what} would be purged\n` : `${what} purged\n`);
}

function daysDefault(): number {
  const parsed = parseDuration(purgeBeforeDefault);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

function noDatabase(name: string): CommandFailed {
  return new CommandFailed(exitCodes.refused, `there is no database yet at ${name}`);
}
