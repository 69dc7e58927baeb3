/** `postern pin list|show|set|reset|import`: on the store, beside a gateway that may be running, or (but import) by its admin API. */
import type { Command } from 'commander';
import type { Checked } from '../../policy/token-input.ts';
import type { PinKey } from '../../store/pin-store.ts';
import { ask } from './cli-ask.ts';
import { addPinImport } from './cli-import.ts';
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
import type { pinView } from './pin-view.ts';

type Common = PlaceOptions & JsonOptions;
type PinView = ReturnType<typeof pinView>;
type Page = { readonly pins: readonly PinView[]; readonly next: string | null };
type Changed = { readonly value: string | null; readonly before: string | null };
type Reasoned = Common & { readonly reason?: string };

type ListOptions = Common & {
  readonly pin?: string;
  readonly subject?: string;
  readonly limit: number;
  readonly after?: string;
};

export function addPin(program: Command, shell: Shell): void {
  const pin = program.command('pin').description('list, show, set, reset and import what is pinned');
  atPlace(pin.command('list'))
    .description('what is pinned, by pin and subject')
    .option('--pin <name>', 'of this pin only')
    .option('--subject <owner=value>', 'of this owner only: project=prj_a')
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"pins","next"}')
    .addOption(tableOption())
    .action((options: ListOptions) => list(options, shell));
  onOne(pin.command('show').description('what is pinned to one owner'))
    .option('--json', 'print the record')
    .addOption(tableOption())
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
  return atPlace(command)
    .argument('<pin>', 'a pin of the config, of kind bundle_id', named)
    .argument('<subject>', 'whose: project=prj_a, token=tok_…', named);
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { pin, subject, limit, after } = options;
  const asking = {
    name: 'listPins',
    query: { pin, subject, limit: String(limit), after },
    access: 'read',
    nothing: (): Checked<Page> => ({ ok: true, value: { pins: [], next: null } }),
  } as const;
  const page = allowed(await ask<Page>(options, asking, shell));
  const { pins } = page;
  if (isJson(options, shell)) return printJson(shell, page);
  if (pins.length === 0) return shell.err('nothing is pinned\n');
  const [header = '', ...lines] = formatTable([
    ['PIN', 'SUBJECT', 'VALUE', 'SINCE', 'BY'],
    ...pins.map((one) => [one.pin, one.subject, one.value, one.pinned_at, one.pinned_by].map(visible)),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page.next !== null) shell.err(`there are more: --after ${page.next}\n`);
}

async function show(key: PinKey, options: Common, shell: Shell): Promise<void> {
  const view = allowed(await ask<PinView>(options, { name: 'showPin', params: key, access: 'read' }, shell));
  if (isJson(options, shell)) return printJson(shell, view);
  shell.out(
    `${formatTable(Object.entries(view).map(([name, value]) => [name, visible(String(value))])).join('\n')}\n`,
  );
}

async function set(key: PinKey, value: string, options: Reasoned, shell: Shell): Promise<void> {
  const body = { value, reason: options.reason };
  const view = allowed(
    await ask<Changed>(options, { name: 'setPin', params: key, body, access: 'create' }, shell),
  );
  if (options.json) return printJson(shell, view);
  const was = view.before === null ? '' : `, it was ${view.before}`;
  shell.out(`${visible(`${key.pin} of ${key.subject} is ${view.value}${was}`)}\n`);
}

async function reset(key: PinKey, options: Reasoned, shell: Shell): Promise<void> {
  const body = { reason: options.reason };
  const view = allowed(
    await ask<Changed>(options, { name: 'resetPin', params: key, body, access: 'change' }, shell),
  );
  if (options.json) return printJson(shell, view);
  shell.out(`${visible(`${key.pin} of ${key.subject} is let go, it was ${view.before}`)}\n`);
}
