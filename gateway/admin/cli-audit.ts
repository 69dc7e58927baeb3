/** `postern audit list`: who changed what, oldest first; and what keeps that true and short. */
import type { Command } from 'commander';
import {
  configOption,
  count,
  formatTable,
  paint,
  printJson,
  type Shell,
  storeConfigOf,
  visible,
} from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import { addAuditUpkeep } from './cli-upkeep.ts';
import { listAudit } from './operations-pin.ts';
import { auditView } from './pin-view.ts';

type ListOptions = {
  readonly config: string;
  readonly subject?: string;
  readonly limit: number;
  readonly after?: string;
  readonly json?: true;
};

export function addAudit(program: Command, shell: Shell): void {
  const audit = program.command('audit').description('read, verify and shorten who changed what');
  audit
    .command('list')
    .description('changes, oldest first')
    .addOption(configOption())
    .option('--subject <subject>', 'to this only: tok_…, project=prj_a')
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"entries","next"}')
    .action((options: ListOptions) => list(options, shell));
  addAuditUpkeep(audit, shell);
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { subject = null, limit, after = null, json } = options;
  const config = storeConfigOf(options.config, shell);
  const page = await atDesk(config, 'read', shell, (desk) => listAudit(desk, { subject, limit, after }));
  const entries = page?.entries.map(auditView) ?? [];
  if (json) return printJson(shell, { entries, next: page?.next ?? null });
  if (entries.length === 0) return shell.err('no changes\n');
  const [header = '', ...lines] = formatTable([
    ['AT', 'ACTOR', 'ACTION', 'SUBJECT', 'DETAIL'],
    ...entries.map(({ at, actor, action, subject, detail }) => {
      return [at, actor, action, subject, JSON.stringify(detail)].map(visible);
    }),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page?.next) shell.err(`there are more: --after ${page.next}\n`);
}
