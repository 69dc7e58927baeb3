/** `postern token create|list|show|revoke`: straight on the store, beside a gateway that may be running. */
import type { Command } from 'commander';
import { attributesOfPairs, typeNamed } from '../../policy/token-input.ts';
import { storeName } from '../config/store-settings.ts';
import { addImport } from './cli-import.ts';
import {
  allowed,
  CommandFailed,
  collect,
  configOption,
  count,
  duration,
  exitCodes,
  formatTable,
  paint,
  printJson,
  type Shell,
  storeConfigOf,
} from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import { addTokenLife } from './cli-token-life.ts';
import { createToken, listTokens, revokeToken, showToken, unknownToken } from './operations.ts';
import { listTokensOf } from './operations-life.ts';
import { secretView, type TokenView, viewOf } from './token-view.ts';

type Common = { readonly config: string; readonly json?: true };

type CreateOptions = Common & {
  readonly type: string;
  readonly label: string;
  readonly scope: readonly string[];
  readonly attribute: readonly string[];
  readonly origin: readonly string[];
  readonly expiresIn?: number;
  readonly canary: boolean;
};

type ListOptions = Common & {
  readonly type?: string;
  readonly attribute: readonly string[];
  readonly limit: number;
  readonly after?: string;
};

const none: readonly string[] = [];

export function addToken(program: Command, shell: Shell): void {
  const token = program.command('token').description('create, list, change, end and import tokens');
  token
    .command('create')
    .description('make a token; its text is printed once, and kept nowhere')
    .addOption(configOption())
    .requiredOption('--type <type>', 'a token type of the config')
    .option('--label <text>', 'what people know it by', 'unnamed')
    .option('--scope <scope>', 'what it may do, where the type lets choose (several)', collect, none)
    .option('--attribute <name=value>', 'what it belongs to (several; lists: again)', collect, none)
    .option(
      '--origin <origin>',
      'where it may be used from: https://app.example.com (several)',
      collect,
      none,
    )
    .option('--expires-in <duration>', 'such as 90d; left out: never', duration)
    .option('--canary', 'it grants nothing, and whoever uses it raises an alert', false)
    .option('--json', 'print the token and its record')
    .action((options: CreateOptions) => create(options, shell));
  token
    .command('list')
    .description('tokens, oldest first')
    .addOption(configOption())
    .option('--type <type>', 'of this type only')
    .option('--attribute <name=value>', 'with --type: that have this (several)', collect, none)
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"tokens","next"}')
    .action((options: ListOptions) => list(options, shell));
  token
    .command('show')
    .description('all that is known of one token')
    .argument('<id>', 'its id, tok_…')
    .addOption(configOption())
    .option('--json', 'print the record')
    .action((id: string, options: Common) => show(id, options, shell));
  token
    .command('revoke')
    .description('end a token: no request that comes after gets through')
    .argument('<id>', 'its id, tok_…')
    .addOption(configOption())
    .option('--reason <text>', 'why, for the record')
    .option('--json', 'print the record')
    .action((id: string, options: Common & { reason?: string }) => revoke(id, options, shell));
  addTokenLife(token, shell);
  addImport(token, shell);
}

async function create(options: CreateOptions, shell: Shell): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const type = allowed(typeNamed(config.policy, options.type));
  const attributes = allowed(attributesOfPairs(type, options.attribute));
  const { label, scope: scopes, origin: origins, expiresIn: expiresInMs = null, canary } = options;
  const request = { type: type.name, label, scopes, attributes, origins, expiresInMs, canary };
  const answer = await atDesk(config, 'create', shell, (desk) => createToken(desk, request));
  const { record, plaintext } = allowed(answer ?? unknownToken());
  const view = viewOf(record, config.policy, shell.now());
  if (options.json) return printJson(shell, secretView(view, plaintext));
  const what = canary ? 'canary' : 'token';
  shell.err(`${view.id}: ${what} of type ${view.type}, "${view.label}". It is shown this once:\n`);
  shell.out(`${plaintext}\n`);
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { type = null, limit, after = null } = options;
  const config = storeConfigOf(options.config, shell);
  if (type === null && options.attribute.length > 0) {
    throw new CommandFailed(exitCodes.usage, 'attributes of no type; add --type');
  }
  const known = options.attribute.length === 0 ? null : allowed(typeNamed(config.policy, type ?? ''));
  const attributes = known === null ? null : allowed(attributesOfPairs(known, options.attribute));
  const page = await atDesk(config, 'read', shell, (desk) =>
    attributes === null || type === null
      ? listTokens(desk, { type, limit, after })
      : listTokensOf(desk, { type, attributes, limit, after }),
  );
  const tokens = page?.tokens.map((record) => viewOf(record, config.policy, shell.now())) ?? [];
  // Tokens may outlive their type; a type that neither has is a slip of the pen.
  if (tokens.length === 0 && type !== null) allowed(typeNamed(config.policy, type));
  if (options.json) return printJson(shell, { tokens, next: page?.next ?? null });
  if (page === null) shell.err(`there is no database yet at ${storeName(config.store)}\n`);
  if (tokens.length === 0) return shell.err('no tokens\n');
  const [header = '', ...lines] = formatTable([
    ['ID', 'TYPE', 'LABEL', 'TOKEN', 'STATE', 'SCOPES', 'CREATED', 'LAST USED', 'EXPIRES'],
    ...tokens.map(rowOf),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page?.next) shell.err(`there are more: --after ${page.next}\n`);
}

function rowOf(token: TokenView): readonly string[] {
  const { id, type, label, preview, state, scopes } = token;
  const times = [token.created_at, token.last_used_at ?? 'never', endOf(token) ?? 'never'];
  return [id, type, label, preview, state, scopes.join(' ') || '-', ...times.map(toMinute)];
}

/** Whatever comes first: its expiry, or the end of what it was left when a successor came. */
function endOf({ expires_at, retire_at }: TokenView): string | null {
  if (expires_at === null || retire_at === null) return expires_at ?? retire_at;
  return expires_at < retire_at ? expires_at : retire_at;
}

/** `2026-01-02 03:04Z`: what fits a column. */
function toMinute(time: string): string {
  return time.replace(/^(.{10})T(.{5}).*Z$/, '$1 $2Z');
}

async function show(id: string, { config: file, json }: Common, shell: Shell): Promise<void> {
  const config = storeConfigOf(file, shell);
  const answer = await atDesk(config, 'read', shell, (desk) => showToken(desk, id));
  const view = viewOf(allowed(answer ?? unknownToken()), config.policy, shell.now());
  if (json) return printJson(shell, view);
  const lines = Object.entries(view).map(([key, value]) => [key, inWords(value)]);
  shell.out(`${formatTable(lines).join('\n')}\n`);
}

function inWords(value: TokenView[keyof TokenView]): string {
  if (value === null) return '-';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.join(' ') || '-';
  const pairs = Object.entries(value).map(([name, held]) => `${name}=${[held].flat().join(',')}`);
  return pairs.join(' ') || '-';
}

async function revoke(id: string, options: Common & { reason?: string }, shell: Shell): Promise<void> {
  const config = storeConfigOf(options.config, shell);
  const reason = options.reason ?? null;
  const answer = await atDesk(config, 'change', shell, (desk) => revokeToken(desk, id, reason));
  const view = viewOf(allowed(answer ?? unknownToken()), config.policy, shell.now());
  if (options.json) return printJson(shell, view);
  shell.out(`${view.id} is revoked since ${view.revoked_at}\n`);
}
