/** `postern probe activate|list|deactivate`: on the store, beside a gateway that may be running, or by its admin API. */
import { type Command, Option } from 'commander';
import { probeChoiceOf } from '../../policy/probe-input.ts';
import type { Checked } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import { ask } from './cli-ask.ts';
import { atPlace, type PlaceOptions } from './cli-place.ts';
import {
  allowed,
  CommandFailed,
  count,
  exitCodes,
  formatTable,
  isJson,
  type JsonOptions,
  named,
  paint,
  printJson,
  type Shell,
  tableOption,
  understood,
  visible,
} from './cli-shell.ts';
import { operatorCaps, probeKeyOf, ttlSecondsDefault } from './probe-ask.ts';
import type { ActivationView, deactivatedView } from './probe-view.ts';

type Common = PlaceOptions & JsonOptions & { readonly type?: string; readonly for: string };

type Activated = ActivationView & { readonly trigger_token: string };
type Deactivated = ReturnType<typeof deactivatedView>;
type Page = { readonly activations: readonly ActivationView[]; readonly next: string | null };

type ActivateOptions = Common & {
  readonly labelPattern: string;
  readonly service?: string;
  readonly environment?: string;
  readonly ttlSeconds?: number;
  readonly ttl?: number;
  readonly triggerTtlSeconds?: number;
};

type ListOptions = Common & { readonly limit: number; readonly after?: string };

export function addProbe(program: Command, shell: Shell): void {
  const probe = program
    .command('probe')
    .description('switch probes on and off, for one project or other text');
  onOne(probe.command('activate').description('switch one on, and print its trigger once'))
    .requiredOption('--label-pattern <pattern>', 'what is probed: payment.*')
    .option('--service <service>', 'in which service', '*')
    .option('--environment <environment>', 'in which environment', '*')
    .option('--ttl-seconds <number>', 'for how long, 60 or more (default: 3600)', seconds)
    .addOption(new Option('--ttl <number>', 'the same').argParser(seconds).conflicts('ttlSeconds'))
    .option('--trigger-ttl-seconds <number>', 'for how long its trigger is right (default: as long)', seconds)
    .option('--json', 'print {"activation",…,"trigger_token"}')
    .action((options: ActivateOptions) => activate(options, shell));
  onOne(probe.command('list').description('what is active or has a trigger that is, oldest first'))
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"activations","next"}')
    .addOption(tableOption())
    .action((options: ListOptions) => list(options, shell));
  onOne(
    probe.command('deactivate').description('switch one off; a trigger that is out is right until its end'),
  )
    .argument('<id>', 'its activation_id', named)
    .option('--json', 'print {"activation_id","deactivated_at"}')
    .action((id: string, options: Common) => deactivate(id, options, shell));
}

function onOne(command: Command): Command {
  return atPlace(command)
    .option('--type <type>', 'a token type that is signed; left out: the only one')
    .requiredOption('--for <text>', 'whose: the text that its key is derived for, prj_a');
}

async function activate(options: ActivateOptions, shell: Shell): Promise<void> {
  const { type, for: subject } = options;
  const said = {
    label_pattern: options.labelPattern,
    service: options.service,
    environment: options.environment,
    ttl_seconds: options.ttlSeconds ?? options.ttl ?? ttlSecondsDefault,
    trigger_ttl_seconds: options.triggerTtlSeconds,
  };
  // Whether it can be read is told from whether it may be.
  understood(probeChoiceOf(said, operatorCaps));
  const body = { type, for: subject, ...said };
  const asking = { name: 'activateProbe', body, access: 'create', need: 'keys' } as const;
  const view = allowed(await ask<Activated>(options, asking, shell));
  if (options.json) return printJson(shell, view);
  const { activation_id: id, expires_at: until, trigger_expires_at: triggerUntil } = view;
  const what = visible(`${view.label_pattern} of ${subject}`);
  shell.err(`${id}: ${what} until ${until}; its trigger until ${triggerUntil}. It is shown this once:\n`);
  shell.out(`${view.trigger_token}\n`);
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { type, for: subject, limit, after } = options;
  const asking = {
    name: 'listProbes',
    query: { type, for: subject, limit: String(limit), after },
    access: 'read',
    nothing: (policy: Policy): Checked<Page> => {
      const key = probeKeyOf(policy, type, subject);
      return key.ok ? { ok: true, value: { activations: [], next: null } } : key;
    },
  } as const;
  const page = allowed(await ask<Page>(options, asking, shell));
  const { activations } = page;
  if (isJson(options, shell)) return printJson(shell, page);
  if (activations.length === 0) return shell.err('nothing is active\n');
  const [header = '', ...lines] = formatTable([
    ['ID', 'LABELS', 'SERVICE', 'ENVIRONMENT', 'UNTIL', 'TRIGGER UNTIL'],
    ...activations.map((one) => {
      const words = [one.activation_id, one.label_pattern, one.service, one.environment];
      return [...words.map(visible), one.expires_at, one.trigger_expires_at];
    }),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page.next !== null) shell.err(`there are more: --after ${page.next}\n`);
}

async function deactivate(id: string, options: Common, shell: Shell): Promise<void> {
  const { type, for: subject } = options;
  const asking = {
    name: 'deactivateProbe',
    params: { activation_id: id },
    body: { type, for: subject },
    access: 'change',
  } as const;
  const view = allowed(await ask<Deactivated>(options, asking, shell));
  if (options.json) return printJson(shell, view);
  shell.out(`${view.activation_id} is off since ${view.deactivated_at}\n`);
}

function seconds(text: string): number {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (number >= 1) return number;
  throw new CommandFailed(exitCodes.usage, `"${text}" is not a number of seconds; write 3600`);
}
