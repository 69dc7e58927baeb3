/** `postern audit verify|purge` and `postern token purge`: on the store, beside a gateway that may be running, or by its admin API. */
import type { Command } from 'commander';
import { ask, lasting } from './cli-ask.ts';
import { atPlace, type PlaceOptions } from './cli-place.ts';
import {
  allowed,
  duration,
  exitCodes,
  isJson,
  type JsonOptions,
  printJson,
  type Shell,
  tableOption,
  understood,
} from './cli-shell.ts';
import { headOf, purgeBeforeDefault } from './operations-upkeep.ts';
import type { purgedTokensView, purgedView, verdictView } from './upkeep-view.ts';

type VerifyOptions = PlaceOptions & JsonOptions & { readonly head?: string };

type PurgeOptions = PlaceOptions & {
  readonly before?: number;
  readonly dryRun?: true;
  readonly json?: true;
};

type PurgedView = ReturnType<typeof purgedView> & Partial<ReturnType<typeof purgedTokensView>>;
type Verdict = ReturnType<typeof verdictView>;

/** What is purged: the route that does it, what one of it is called, and what is printed as JSON. */
type Purging = {
  readonly name: 'purgeAudit' | 'purgeTokens';
  readonly noun: string;
  readonly keys: string;
};

export function addAuditUpkeep(audit: Command, shell: Shell): void {
  atPlace(audit.command('verify'))
    .description('whether rows are still as they were written: 0 yes, 1 no')
    .option('--head <seq:mac>', 'a head that the log told: it must be in the chain', head)
    .option('--json', 'print {"ok","rows","first","begun","head","unsealed","flaw"}')
    .addOption(tableOption())
    .action((options: VerifyOptions) => verify(options, shell));
  const description = 'remove the oldest rows; the chain goes on from there';
  addPurge(audit, shell, description, { name: 'purgeAudit', noun: 'row', keys: '{"before","purged"}' });
}

export function addTokenPurge(token: Command, shell: Shell): void {
  const description = 'remove tokens for good that were revoked, expired or retired long ago';
  const keys = '{"before","purged","left_out"}';
  addPurge(token, shell, description, { name: 'purgeTokens', noun: 'token', keys });
}

function addPurge(command: Command, shell: Shell, description: string, purging: Purging): void {
  atPlace(command.command('purge'))
    .description(description)
    .option('--before <duration>', `how long ago, 1d at least (${purgeBeforeDefault})`, duration)
    .option('--dry-run', 'say how many would go, and change nothing')
    .option('--json', `print ${purging.keys}`)
    .action((options: PurgeOptions) => purge(options, shell, purging));
}

/** @throws CommandFailed where it is none. */
function head(text: string): string {
  understood(headOf(text));
  return text;
}

async function verify(options: VerifyOptions, shell: Shell): Promise<void> {
  const asking = { name: 'verifyAudit', query: { head: options.head }, access: 'read' } as const;
  const view = allowed(await ask<Verdict>(options, asking, shell));
  if (isJson(options, shell)) printJson(shell, view);
  else shell.out(inWords(view));
  if (!view.ok) shell.exit(exitCodes.refused);
}

function inWords({ rows, first, begun, head: end, flaw }: Verdict): string {
  const lines: string[] = [];
  if (first !== null && end !== null) {
    const plural = rows === 1 ? 'row follows' : 'rows follow';
    lines.push(`${rows} ${plural} one another, from ${first.seq} of ${first.at} to ${end.seq}:${end.mac}`);
  } else lines.push('no rows follow one another');
  if (begun !== null) lines.push(`the chain began at ${begun.at}, over what was there before ${begun.seq}`);
  if (flaw !== null) {
    const where = [flaw.seq === null ? [] : `at ${flaw.seq}`, flaw.id ?? []].flat().join(', ');
    lines.push(`${where === '' ? '' : `${where}: `}${flaw.message}`);
  }
  return `${lines.join('\n')}\n`;
}

async function purge(options: PurgeOptions, shell: Shell, { name, noun }: Purging): Promise<void> {
  const isDry = options.dryRun === true;
  const asking = { name, body: { before: lasting(options.before) }, access: 'change', isDry } as const;
  const view = allowed(await ask<PurgedView>(options, asking, shell));
  if (options.json) return printJson(shell, view);
  const what = `${view.purged} ${noun}${view.purged === 1 ? '' : 's'} from before ${view.before}`;
  shell.out(isDry ? `${what} would be purged\n` : `${what} purged\n`);
  for (const line of stayed(view.left_out)) shell.out(`${line}\n`);
}

/** Which ended as long ago, and why they are not purged. */
function stayed({ alike, peppered } = { alike: 0, peppered: 0 }): readonly string[] {
  const stay = (count: number) => `${count} ${count === 1 ? 'stays' : 'stay'}`;
  const lines: string[] = [];
  if (alike > 0) {
    lines.push(
      `${stay(alike)}: another token may be the same one under another hash; revoke that one too, if nobody needs it`,
    );
  }
  if (peppered > 0) {
    lines.push(
      `${stay(peppered)}: hash.pepper of the type has more than one entry; drop the older ones first`,
    );
  }
  return lines;
}
