/** `postern token rotate|regenerate|update|disable|enable`: straight on the store, beside a gateway that may be running. */
import type { Command } from 'commander';
import { attributesOfPairs, typeNamed } from '../../policy/token-input.ts';
import {
  allowed,
  collect,
  configOption,
  duration,
  printJson,
  type Shell,
  storeConfigOf,
} from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import { type Desk, unknownToken } from './operations.ts';
import {
  type ChangeRequest,
  disableToken,
  enableToken,
  regenerateToken,
  rotateToken,
  updateToken,
} from './operations-life.ts';
import { secretView, viewOf } from './token-view.ts';

type Common = { readonly config: string; readonly json?: true };

type RotateOptions = Common & { readonly overlap: number; readonly retireWhenQuiet?: true };

type RegenerateOptions = Common & {
  readonly type: string;
  readonly attribute: readonly string[];
  readonly scope?: readonly string[];
  readonly label: string;
  readonly grace?: number;
};

type UpdateOptions = Common & {
  readonly label?: string;
  readonly origin?: readonly string[];
  /** commander: false where `--no-origins` is written. */
  readonly origins: boolean;
  readonly attribute?: readonly string[];
  readonly scope?: readonly string[];
  readonly expiresIn?: number;
  readonly expiry: boolean;
};

const none: readonly string[] = [];
const dayMs = 86_400_000;

export function addTokenLife(token: Command, shell: Shell): void {
  addRotate(token, shell);
  addRegenerate(token, shell);
  addUpdate(token, shell);
  const ends = [
    ['disable', 'refuse a token until it is enabled again', disableToken],
    ['enable', 'let a disabled token pass again', enableToken],
  ] as const;
  for (const [name, description, operation] of ends) {
    token
      .command(name)
      .description(description)
      .argument('<id>', 'its id, tok_…')
      .addOption(configOption())
      .option('--json', 'print the record')
      .action((id: string, options: Common) =>
        change(options, shell, `${name}d`, (desk) => operation(desk, id)),
      );
  }
}

function addRotate(token: Command, shell: Shell): void {
  token
    .command('rotate')
    .description('make a successor; the token itself works until its overlap is over')
    .argument('<id>', 'its id, tok_…')
    .addOption(configOption())
    .option('--overlap <duration>', 'how long it still works (24h); 0s: not at all', duration, dayMs)
    .option('--retire-when-quiet', 'it ends before, once its successor is in use and it was not for 25 hours')
    .option('--json', 'print the new token, its record, and what it replaces')
    .action((id: string, options: RotateOptions) => rotate(id, options, shell));
}

function addRegenerate(token: Command, shell: Shell): void {
  token
    .command('regenerate')
    .description('end every token of a type with these attributes, and make one instead')
    .addOption(configOption())
    .requiredOption('--type <type>', 'a token type of the config')
    .option('--attribute <name=value>', 'what they belong to (several; lists: again)', collect, none)
    .option('--scope <scope>', 'what it may do (several); left out: what the newest may', collectMore)
    .option('--label <text>', 'where there is none yet: what people know it by', 'unnamed')
    .option('--grace <duration>', 'how long the others still work; left out: not at all', duration)
    .option('--json', 'print the new token, its record, and what it replaces')
    .action((options: RegenerateOptions) => regenerate(options, shell));
}

function addUpdate(token: Command, shell: Shell): void {
  token
    .command('update')
    .description('change what is written; what is left out stays')
    .argument('<id>', 'its id, tok_…')
    .addOption(configOption())
    .option('--label <text>', 'what people know it by')
    .option('--origin <origin>', 'where it may be used from (several): the whole list', collectMore)
    .option('--no-origins', 'it may be used from anywhere')
    .option('--attribute <name=value>', 'what it belongs to (several): all of it', collectMore)
    .option('--scope <scope>', 'what it may do (several): the whole list', collectMore)
    .option('--expires-in <duration>', 'such as 90d, from now', duration)
    .option('--no-expiry', 'it never expires')
    .option('--json', 'print the record')
    .action((id: string, options: UpdateOptions) => update(id, options, shell));
}

async function rotate(id: string, options: RotateOptions, shell: Shell): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const answer = await atDesk(config, 'change', shell, (desk) =>
    rotateToken(desk, id, options.overlap, options.retireWhenQuiet),
  );
  const { created, before } = allowed(answer ?? unknownToken());
  const view = viewOf(created.record, config.policy, shell.now());
  const old = viewOf(before, config.policy, shell.now());
  if (options.json) return printJson(shell, secretView(view, created.plaintext, { rotated: old }));
  const early = options.retireWhenQuiet === true ? ', or until nobody needs it' : '';
  const until = old.revoked_at === null ? `works until ${old.retire_at}${early}` : 'works no more';
  shell.err(`${view.id}: successor of ${old.id}, which ${until}. It is shown this once:\n`);
  shell.out(`${created.plaintext}\n`);
}

async function regenerate(options: RegenerateOptions, shell: Shell): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const type = allowed(typeNamed(config.policy, options.type));
  const attributes = allowed(attributesOfPairs(type, options.attribute));
  const { label, scope: scopes = null, grace: graceMs = 0 } = options;
  const answer = await atDesk(config, 'create', shell, (desk) =>
    regenerateToken(desk, { type: type.name, attributes, scopes, label, graceMs }),
  );
  const { created, replaced } = allowed(answer ?? unknownToken());
  const view = viewOf(created.record, config.policy, shell.now());
  if (options.json) return printJson(shell, secretView(view, created.plaintext, { replaced }));
  const ended = replaced.length === 0 ? 'no other' : replaced.join(', ');
  shell.err(`${view.id}: token of type ${view.type} instead of ${ended}. It is shown this once:\n`);
  shell.out(`${created.plaintext}\n`);
}

async function update(id: string, options: UpdateOptions, shell: Shell): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const { label, origin, attribute, scope: scopes, expiresIn } = options;
  await change(options, shell, 'updated', async (desk) => {
    const record = attribute === undefined ? null : await desk.tokens.byId(id);
    const type = record === null ? null : allowed(typeNamed(config.policy, record.type));
    const attributes =
      type === null || attribute === undefined ? undefined : allowed(attributesOfPairs(type, attribute));
    const origins = options.origins ? origin : none;
    const expiresInMs = options.expiry ? expiresIn : null;
    const request: ChangeRequest = {
      ...(label === undefined ? {} : { label }),
      ...(origins === undefined ? {} : { origins }),
      ...(scopes === undefined ? {} : { scopes }),
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
      ...(attributes === undefined ? {} : { attributes }),
    };
    return updateToken(desk, id, request);
  });
}

async function change(
  options: Common,
  shell: Shell,
  done: string,
  operation: (desk: Desk) => ReturnType<typeof disableToken>,
): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const answer = await atDesk(config, 'change', shell, operation);
  const view = viewOf(allowed(answer ?? unknownToken()), config.policy, shell.now());
  if (options.json) return printJson(shell, view);
  shell.out(`${view.id} is ${done}\n`);
}

function collectMore(value: string, before: readonly string[] | undefined): readonly string[] {
  return collect(value, before ?? none);
}
