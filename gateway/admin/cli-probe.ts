/** `postern probe activate|list|deactivate`: straight on the store, beside a gateway that may be running. */
import { type Command, Option } from 'commander';
import { probeChoiceOf } from '../../policy/probe-input.ts';
import type { Checked } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import type { ProbeKey } from '../../store/probe-store.ts';
import type { LoadedConfig } from '../config/load.ts';
import { storeName } from '../config/store-settings.ts';
import {
  allowed,
  CommandFailed,
  configOf,
  configOption,
  count,
  exitCodes,
  formatTable,
  paint,
  printJson,
  type Shell,
  storeConfigOf,
  understood,
  visible,
} from './cli-shell.ts';
import { type Access, atDesk } from './cli-store.ts';
import type { Desk } from './operations.ts';
import { activateProbe, deactivateProbe, listProbes } from './operations-probe.ts';
import { activeMaxOf, operatorCaps, probeKeyOf, ttlSecondsDefault } from './probe-ask.ts';
import { activatedView, activationView, deactivatedView } from './probe-view.ts';

type Common = {
  readonly config: string;
  readonly type?: string;
  readonly for: string;
  readonly json?: true;
};

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
    .action((options: ListOptions) => list(options, shell));
  onOne(
    probe.command('deactivate').description('switch one off; a trigger that is out is right until its end'),
  )
    .argument('<id>', 'its activation_id')
    .option('--json', 'print {"activation_id","deactivated_at"}')
    .action((id: string, options: Common) => deactivate(id, options, shell));
}

function onOne(command: Command): Command {
  return command
    .addOption(configOption())
    .option('--type <type>', 'a token type that is signed; left out: the only one')
    .requiredOption('--for <text>', 'whose: the text that its key is derived for, prj_a');
}

async function activate(options: ActivateOptions, shell: Shell): Promise<void> {
  const config = configOf(options.config, shell, 'keys');
  const key = keyOf(config.policy, options);
  const said = {
    label_pattern: options.labelPattern,
    service: options.service,
    environment: options.environment,
    ttl_seconds: options.ttlSeconds ?? options.ttl ?? ttlSecondsDefault,
    trigger_ttl_seconds: options.triggerTtlSeconds,
  };
  const choice = understood(probeChoiceOf(said, operatorCaps));
  const activeMax = activeMaxOf(config.policy, key.type);
  const activated = await done(config, 'create', shell, (desk) =>
    activateProbe(desk, { ...key, choice, activeMax }),
  );
  if (activated.kind === 'full') {
    const message = `${activeMax} are active already; deactivate one that probe list shows`;
    throw new CommandFailed(exitCodes.refused, message);
  }
  const { record, trigger } = activated;
  if (options.json) return printJson(shell, activatedView(record, trigger));
  const { activation_id: id, expires_at: until, trigger_expires_at: triggerUntil } = activationView(record);
  const what = visible(`${record.labelPattern} of ${key.subject}`);
  shell.err(`${id}: ${what} until ${until}; its trigger until ${triggerUntil}. It is shown this once:\n`);
  shell.out(`${trigger}\n`);
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const key = keyOf(config.policy, options);
  const { limit, after = null } = options;
  const answer = await atDesk(config, 'read', shell, (desk) => listProbes(desk, { ...key, limit, after }));
  const page = answer === null ? null : allowed(answer);
  const activations = page?.activations.map(activationView) ?? [];
  if (options.json) return printJson(shell, { activations, next: page?.next ?? null });
  if (activations.length === 0) return shell.err('nothing is active\n');
  const [header = '', ...lines] = formatTable([
    ['ID', 'LABELS', 'SERVICE', 'ENVIRONMENT', 'UNTIL', 'TRIGGER UNTIL'],
    ...activations.map((one) => {
      const words = [one.activation_id, one.label_pattern, one.service, one.environment];
      return [...words.map(visible), one.expires_at, one.trigger_expires_at];
    }),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page?.next) shell.err(`there are more: --after ${page.next}\n`);
}

async function deactivate(id: string, options: Common, shell: Shell): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const key = keyOf(config.policy, options);
  const record = await done(config, 'change', shell, (desk) => deactivateProbe(desk, key, id));
  const view = deactivatedView(record);
  if (options.json) return printJson(shell, view);
  shell.out(`${record.id} is off since ${view.deactivated_at}\n`);
}

/** @throws CommandFailed where several types are signed, and none is named. */
function keyOf(policy: Policy, { type, for: subject }: Common): ProbeKey {
  return understood(probeKeyOf(policy, type, subject));
}

/** @throws CommandFailed `refused`: no, or no database yet. */
async function done<T>(
  config: LoadedConfig,
  access: Access,
  shell: Shell,
  work: (desk: Desk) => Promise<Checked<T>>,
): Promise<T> {
  const answer = await atDesk(config, access, shell, work);
  if (answer !== null) return allowed(answer);
  throw new CommandFailed(exitCodes.refused, `there is no database yet at ${storeName(config.store)}`);
}

function seconds(text: string): number {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (number >= 1) return number;
  throw new CommandFailed(exitCodes.usage, `"${text}" is not a number of seconds; write 3600`);
}
