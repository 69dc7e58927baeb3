/** `postern token rotate|regenerate|update|disable|enable`: on the store, beside a gateway that may be running, or by its admin API. */
import type { Command } from 'commander';
import { ask, lasting } from './cli-ask.ts';
import { atPlace, type PlaceOptions } from './cli-place.ts';
import { allowed, collect, duration, printJson, type Shell } from './cli-shell.ts';
import { idOf, idWords, tokenIdOrText } from './cli-token-id.ts';
import { unknownToken } from './operations.ts';
import type { ToldSecret, ToldToken } from './token-told.ts';

type Common = PlaceOptions & { readonly json?: true };

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
    ['disable', 'refuse a token until it is enabled again'],
    ['enable', 'let a disabled token pass again'],
  ] as const;
  for (const [name, description] of ends) {
    atPlace(token.command(name))
      .description(description)
      .argument('<id>', idWords, tokenIdOrText)
      .option('--json', 'print the record')
      .action((id: string, options: Common) => change(id, `${name}Token`, {}, options, shell, `${name}d`));
  }
}

function addRotate(token: Command, shell: Shell): void {
  atPlace(token.command('rotate'))
    .description('make a successor; the token itself works until its overlap is over')
    .argument('<id>', idWords, tokenIdOrText)
    .option('--overlap <duration>', 'how long it still works (24h); 0s: not at all', duration, dayMs)
    .option('--retire-when-quiet', 'it ends before, once its successor is in use and it was not for 25 hours')
    .option('--json', 'print the new token, its record, and what it replaces')
    .action((id: string, options: RotateOptions) => rotate(id, options, shell));
}

function addRegenerate(token: Command, shell: Shell): void {
  atPlace(token.command('regenerate'))
    .description('end every token of a type with these attributes, and make one instead')
    .requiredOption('--type <type>', 'a token type of the config')
    .option('--attribute <name=value>', 'what they belong to (several; lists: again)', collect, none)
    .option('--scope <scope>', 'what it may do (several); left out: what the newest may', collectMore)
    .option('--label <text>', 'where there is none yet: what people know it by', 'unnamed')
    .option('--grace <duration>', 'how long the others still work; left out: not at all', duration)
    .option('--json', 'print the new token, its record, and what it replaces')
    .action((options: RegenerateOptions) => regenerate(options, shell));
}

function addUpdate(token: Command, shell: Shell): void {
  atPlace(token.command('update'))
    .description('change what is written; what is left out stays')
    .argument('<id>', idWords, tokenIdOrText)
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

async function rotate(said: string, options: RotateOptions, shell: Shell): Promise<void> {
  const id = await idOf(said, options, shell);
  const asking = {
    name: 'rotateToken',
    params: { id },
    body: {
      overlap: lasting(options.overlap),
      ...(options.retireWhenQuiet === true ? { retire: 'when_quiet' } : {}),
    },
    access: 'change',
    nothing: unknownToken,
  } as const;
  const view = allowed(await ask<ToldSecret & { readonly rotated: ToldToken }>(options, asking, shell));
  if (options.json) return printJson(shell, view);
  const { rotated: old } = view;
  const early = old.retirement === null ? '' : ', or until nobody needs it';
  const until = old.revoked_at === null ? `works until ${old.retire_at}${early}` : 'works no more';
  shell.err(`${view.id}: successor of ${old.id}, which ${until}. It is shown this once:\n`);
  shell.out(`${view.token}\n`);
}

async function regenerate(options: RegenerateOptions, shell: Shell): Promise<void> {
  const { type, attribute: attributes, scope: scopes, label, grace } = options;
  const body = { type, attributes, scopes, label, grace: lasting(grace) };
  const asking = { name: 'regenerateToken', body, access: 'create' } as const;
  const view = allowed(
    await ask<ToldSecret & { readonly replaced: readonly string[] }>(options, asking, shell),
  );
  if (options.json) return printJson(shell, view);
  const ended = view.replaced.length === 0 ? 'no other' : view.replaced.join(', ');
  shell.err(`${view.id}: token of type ${view.type} instead of ${ended}. It is shown this once:\n`);
  shell.out(`${view.token}\n`);
}

async function update(id: string, options: UpdateOptions, shell: Shell): Promise<void> {
  const { label, origin, attribute: attributes, scope: scopes, expiresIn } = options;
  const body = {
    label,
    origins: options.origins ? origin : none,
    attributes,
    scopes,
    expires_in: lasting(options.expiry ? expiresIn : null),
  };
  await change(id, 'updateToken', body, options, shell, 'updated');
}

async function change(
  said: string,
  name: string,
  body: Readonly<Record<string, unknown>>,
  options: Common,
  shell: Shell,
  done: string,
): Promise<void> {
  const id = await idOf(said, options, shell);
  const asking = { name, params: { id }, body, access: 'change', nothing: unknownToken } as const;
  const view = allowed(await ask<ToldToken>(options, asking, shell));
  if (options.json) return printJson(shell, view);
  shell.out(`${view.id} is ${done}\n`);
}

function collectMore(value: string, before: readonly string[] | undefined): readonly string[] {
  return collect(value, before ?? none);
}
