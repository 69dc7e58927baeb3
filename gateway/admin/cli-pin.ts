/** `postern pin list|show|set|reset|import`: straight on the store, beside a gateway that may be running. */
import type { Command } from 'commander';
import type { Checked } from '../../policy/token-input.ts';
import type { PinKey } from '../../store/pin-store.ts';
import { storeName } from '../config/store-settings.ts';
import { addPinImport } from './cli-import.ts';
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
import type { Desk } from './operations.ts';
import { listPins, resetPin, setPin, showPin } from './operations-pin.ts';
import { changedPinView, pinView, resetPinView } from './pin-view.ts';

type Common = { readonly config: string; readonly json?: true };
type Reasoned = Common & { readonly reason?: string };

type ListOptions = Common & {
  readonly pin?: string;
  readonly subject?: string;
  readonly limit: number;
  readonly after?: string;
};

export function addPin(program: Command, shell: Shell): void {
  const pin = program.command('pin').description('list, show, set, reset and import what is pinned');
  pin
    .command('list')
    .description('what is pinned, by pin and subject')
    .addOption(configOption())
    .option('--pin <name>', 'of this pin only')
    .option('--subject <owner=value>', 'of this owner only: project=prj_a')
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"pins","next"}')
    .action((options: ListOptions) => list(options, shell));
  onOne(pin.command('show').description('what is pinned to one owner'))
    .option('--json', 'print the record')
    .action((name: string, subject: string, options: Common) => show({ pin: name, subject }, options, shell));
  onOne(pin.command('set').description('pin a value, whatever is pinned'))
    .argument('<value>', 'what clients are to send')
    .option('--reason <text>', 'why, for the record')
    .option('--json', 'print the record, with the value `before`')
    .action((name: string, subject: string, value: string, options: Reasoned) =>
      set({ pin: name, subject }, value, options, shell),
    );
  onOne(pin.command('reset').description('let go: the next use pins anew'))
    .option('--reason <text>', 'why, for the record')
    .option('--json', 'print {"pin","subject","value","before"}')
    .action((name: string, subject: string, options: Reasoned) =>
      reset({ pin: name, subject }, options, shell),
    );
  addPinImport(pin, shell);
}

function onOne(command: Command): Command {
  return command
    .argument('<pin>', 'a pin of the config, of kind bundle_id')
    .argument('<subject>', 'whose: project=prj_a, token=tok_…')
    .addOption(configOption());
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { pin = null, subject = null, limit, after = null } = options;
  const config = storeConfigOf(options.config, shell);
  const page = await atDesk(config, 'read', shell, (desk) => listPins(desk, { pin, subject, limit, after }));
  const pins = page?.pins.map(pinView) ?? [];
  if (options.json) return printJson(shell, { pins, next: page?.next ?? null });
  if (pins.length === 0) return shell.err('nothing is pinned\n');
  const [header = '', ...lines] = formatTable([
    ['PIN', 'SUBJECT', 'VALUE', 'SINCE', 'BY'],
    ...pins.map((one) => [one.pin, one.subject, one.value, one.pinned_at, one.pinned_by].map(visible)),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page?.next) shell.err(`there are more: --after ${page.next}\n`);
}

async function show(key: PinKey, { config, json }: Common, shell: Shell): Promise<void> {
  const view = pinView(await done(config, 'read', shell, (desk) => showPin(desk, key)));
  if (json) return printJson(shell, view);
  shell.out(
    `${formatTable(Object.entries(view).map(([name, value]) => [name, visible(String(value))])).join('\n')}\n`,
  );
}

async function set(key: PinKey, value: string, options: Reasoned, shell: Shell): Promise<void> {
  const { reason = null } = options;
  const changed = await done(options.config, 'create', shell, (desk) =>
    setPin(desk, { ...key, value, reason }),
  );
  const view = changedPinView(key, changed);
  if (options.json) return printJson(shell, view);
  const was = view.before === null ? '' : `, it was ${view.before}`;
  shell.out(`${visible(`${key.pin} of ${key.subject} is ${view.value}${was}`)}\n`);
}

async function reset(key: PinKey, options: Reasoned, shell: Shell): Promise<void> {
  const { reason = null } = options;
  const changed = await done(options.config, 'change', shell, (desk) => resetPin(desk, { ...key, reason }));
  const view = resetPinView(key, changed);
  if (options.json) return printJson(shell, view);
  shell.out(`${visible(`${key.pin} of ${key.subject} is let go, it was ${view.before}`)}\n`);
}

/** @throws CommandFailed `refused`: no, or no database yet. */
async function done<T>(
  file: string,
  access: 'read' | 'change' | 'create',
  shell: Shell,
  work: (desk: Desk) => Promise<Checked<T>>,
): Promise<T> {
  const config = storeConfigOf(file, shell);
  const answer = await atDesk(config, access, shell, work);
  if (answer !== null) return allowed(answer);
  throw new CommandFailed(exitCodes.refused, `there is no database yet at ${storeName(config.store)}`);
}
