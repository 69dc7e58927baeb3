/** `postern alerts`, `postern alerts ack`: what was noticed, straight from the store, beside a gateway that may be running. */
import type { Command } from 'commander';
import type { AlertRecord } from '../../policy/alert-types.ts';
import { alertView } from '../../policy/alert-view.ts';
import { storeName } from '../config/store-settings.ts';
import {
  allowed,
  CommandFailed,
  configOption,
  count,
  exitCodes,
  formatTable,
  paint,
  printJson,
  type Shell,
  storeConfigOf,
  visible,
} from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import { acknowledgeAlert, listAlerts } from './operations-alerts.ts';

type Common = { readonly config: string; readonly json?: true };

type ListOptions = Common & { readonly open?: true; readonly limit: number; readonly after?: string };

export function addAlerts(program: Command, shell: Shell): void {
  const alerts = program
    .command('alerts')
    .description('what was noticed, newest first; ack says that one was seen to')
    .addOption(configOption())
    .option('--open', 'only those that nobody has acknowledged')
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"alerts","next"}')
    .action((options: ListOptions) => list(options, shell));
  alerts
    .command('ack')
    .description('say that an alert was seen to')
    .argument('<id>', 'alr_…')
    .addOption(configOption())
    .option('--json', 'print the record')
    // `alerts` has these options too, and takes them wherever they stand.
    .action((id: string, _own: unknown, command: Command) =>
      acknowledge(id, command.optsWithGlobals<Common>(), shell),
    );
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { open = false, limit, after = null } = options;
  const config = storeConfigOf(options.config, shell);
  const page = await atDesk(config, 'read', shell, (desk) => listAlerts(desk, { open, limit, after }));
  const alerts = page?.alerts ?? [];
  const next = page?.next ?? null;
  if (options.json) return printJson(shell, { alerts: alerts.map(alertView), next });
  if (alerts.length === 0) return shell.err(open ? 'no open alerts\n' : 'no alerts\n');
  const [header = '', ...lines] = formatTable([
    ['ID', 'AT', 'KIND', 'SUBJECT', 'STATE', 'DETAIL'],
    ...alerts.map((alert) =>
      [
        alert.id,
        new Date(alert.at).toISOString(),
        alert.kind,
        alert.subject,
        alert.acknowledgedAt === null ? 'open' : 'acknowledged',
        detailOf(alert),
      ].map(visible),
    ),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (next !== null) shell.err(`there are more: --after ${next}\n`);
}

/** `requests 1200, usual 40.5`. */
function detailOf({ detail }: AlertRecord): string {
  const words = (value: unknown): string => {
    if (Array.isArray(value)) return value.map(words).join(' ');
    return value === null ? '(none sent)' : String(value);
  };
  return Object.entries(detail)
    .map(([name, value]) => `${name} ${words(value)}`)
    .join(', ');
}

async function acknowledge(id: string, options: Common, shell: Shell): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const answer = await atDesk(config, 'change', shell, (desk) => acknowledgeAlert(desk, id));
  if (answer === null) {
    throw new CommandFailed(exitCodes.refused, `there is no database yet at ${storeName(config.store)}`);
  }
  const view = alertView(allowed(answer));
  if (options.json) return printJson(shell, view);
  shell.out(
    `${view.id} was acknowledged at ${view.acknowledged_at} by ${visible(view.acknowledged_by ?? '')}\n`,
  );
}
