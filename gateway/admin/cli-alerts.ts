/** `postern alerts`, `postern alerts ack`: what was noticed, on the store, beside a gateway that may be running, or by its admin API. */
import type { Command } from 'commander';
import type { alertView } from '../../policy/alert-view.ts';
import type { Checked } from '../../policy/token-input.ts';
import { ask } from './cli-ask.ts';
import { atPlace, type PlaceOptions } from './cli-place.ts';
import {
  allowed,
  count,
  formatTable,
  isJson,
  type JsonOptions,
  named,
  paint,
  printJson,
  type Shell,
  tableOption,
  visible,
} from './cli-shell.ts';

type Common = PlaceOptions & JsonOptions;

type AlertView = ReturnType<typeof alertView>;
type Page = { readonly alerts: readonly AlertView[]; readonly next: string | null };

type ListOptions = Common & { readonly open?: true; readonly limit: number; readonly after?: string };

export function addAlerts(program: Command, shell: Shell): void {
  const alerts = atPlace(program.command('alerts'))
    .description('what was noticed, newest first; ack says that one was seen to')
    .option('--open', 'only those that nobody has acknowledged')
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"alerts","next"}')
    .addOption(tableOption())
    .action((options: ListOptions) => list(options, shell));
  atPlace(alerts.command('ack'))
    .description('say that an alert was seen to')
    .argument('<id>', 'its id, alr_…', named)
    .option('--json', 'print the record')
    // `alerts` has these options too, and takes them wherever they stand.
    .action((id: string, _own: unknown, command: Command) =>
      acknowledge(id, command.optsWithGlobals<Common>(), shell),
    );
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { open = false, limit, after } = options;
  const asking = {
    name: 'listAlerts',
    query: { open: String(open), limit: String(limit), after },
    access: 'read',
    nothing: (): Checked<Page> => ({ ok: true, value: { alerts: [], next: null } }),
  } as const;
  const page = allowed(await ask<Page>(options, asking, shell));
  const { alerts } = page;
  if (isJson(options, shell)) return printJson(shell, page);
  if (alerts.length === 0) return shell.err(open ? 'no open alerts\n' : 'no alerts\n');
  const [header = '', ...lines] = formatTable([
    ['ID', 'AT', 'KIND', 'SUBJECT', 'STATE', 'DETAIL'],
    ...alerts.map((alert) => {
      const { id, at, kind, subject, acknowledged_at: seenTo } = alert;
      return [id, at, kind, subject, seenTo === null ? 'open' : 'acknowledged', detailOf(alert)].map(visible);
    }),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page.next !== null) shell.err(`there are more: --after ${page.next}\n`);
}

/** `requests 1200, usual 40.5`. */
function detailOf({ detail }: AlertView): string {
  const words = (value: unknown): string => {
    if (Array.isArray(value)) return value.map(words).join(' ');
    return value === null ? '(none sent)' : String(value);
  };
  return Object.entries(detail)
    .map(([name, value]) => `${name} ${words(value)}`)
    .join(', ');
}

async function acknowledge(id: string, options: Common, shell: Shell): Promise<void> {
  const asking = { name: 'acknowledgeAlert', params: { id }, access: 'change' } as const;
  const view = allowed(await ask<AlertView>(options, asking, shell));
  if (options.json) return printJson(shell, view);
  shell.out(
    `${view.id} was acknowledged at ${view.acknowledged_at} by ${visible(view.acknowledged_by ?? '')}\n`,
  );
}
