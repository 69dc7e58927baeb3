/** `postern audit list`: who changed what, oldest first; and what keeps that true and short. */
import type { Command } from 'commander';
import type { Checked } from '../../policy/token-input.ts';
import { ask } from './cli-ask.ts';
import { atPlace, type PlaceOptions } from './cli-place.ts';
import {
  allowed,
  count,
  formatTable,
  isJson,
  type JsonOptions,
  paint,
  printJson,
  type Shell,
  tableOption,
  visible,
} from './cli-shell.ts';
import { addAuditUpkeep } from './cli-upkeep.ts';
import type { auditView } from './pin-view.ts';

type ListOptions = PlaceOptions &
  JsonOptions & {
    readonly subject?: string;
    readonly limit: number;
    readonly after?: string;
  };

type Page = { readonly entries: readonly ReturnType<typeof auditView>[]; readonly next: string | null };

export function addAudit(program: Command, shell: Shell): void {
  const audit = program.command('audit').description('read, verify and shorten who changed what');
  atPlace(audit.command('list'))
    .description('changes, oldest first')
    .option('--subject <subject>', 'to this only: tok_…, project=prj_a')
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"entries","next"}')
    .addOption(tableOption())
    .action((options: ListOptions) => list(options, shell));
  addAuditUpkeep(audit, shell);
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { subject, limit, after } = options;
  const asking = {
    name: 'listAudit',
    query: { subject, limit: String(limit), after },
    access: 'read',
    nothing: (): Checked<Page> => ({ ok: true, value: { entries: [], next: null } }),
  } as const;
  const page = allowed(await ask<Page>(options, asking, shell));
  const { entries } = page;
  if (isJson(options, shell)) return printJson(shell, page);
  if (entries.length === 0) return shell.err('no changes\n');
  const [header = '', ...lines] = formatTable([
    ['AT', 'ACTOR', 'ACTION', 'SUBJECT', 'DETAIL'],
    ...entries.map(({ at, actor, action, subject, detail }) => {
      return [at, actor, action, subject, JSON.stringify(detail)].map(visible);
    }),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page.next !== null) shell.err(`there are more: --after ${page.next}\n`);
}
