/** `postern token create|list|show|revoke`: on the store, beside a gateway that may be running, or by its admin API. */
import type { Command } from 'commander';
import type { Checked } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import { ask, lasting } from './cli-ask.ts';
import { addExport } from './cli-export.ts';
import { addImport } from './cli-import.ts';
import { atPlace, type PlaceOptions } from './cli-place.ts';
import {
  allowed,
  CommandFailed,
  collect,
  count,
  duration,
  exitCodes,
  formatTable,
  isJson,
  type JsonOptions,
  paint,
  printJson,
  type Shell,
  tableOption,
} from './cli-shell.ts';
import { idOf, idWords, tokenIdOrText } from './cli-token-id.ts';
import { addTokenLife } from './cli-token-life.ts';
import { addTokenPurge } from './cli-upkeep.ts';
import { attributesOf } from './http-attributes.ts';
import { unknownToken } from './operations.ts';
import type { RetirementView, ToldPage, ToldSecret, ToldToken } from './token-told.ts';

type Common = PlaceOptions & JsonOptions;

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
  readonly unusedFor?: number;
};

const none: readonly string[] = [];

export function addToken(program: Command, shell: Shell): void {
  const token = program
    .command('token')
    .description('create, list, change, end, purge, import and export tokens');
  atPlace(token.command('create'))
    .description('make a token; its text is printed once, and kept nowhere')
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
  atPlace(token.command('list'))
    .description('tokens, oldest first')
    .option('--type <type>', 'of this type only')
    .option('--attribute <name=value>', 'with --type: that have this (several)', collect, none)
    .option('--unused-for <duration>', 'that were not used for so long, and are not revoked: 90d', duration)
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--after <cursor>', 'go on after the `next` of the page before')
    .option('--json', 'print {"tokens","next"}')
    .addOption(tableOption())
    .action((options: ListOptions) => list(options, shell));
  atPlace(token.command('show'))
    .description('all that is known of one token')
    .argument('<id>', idWords, tokenIdOrText)
    .option('--json', 'print the record')
    .addOption(tableOption())
    .action((id: string, options: Common) => show(id, options, shell));
  atPlace(token.command('revoke'))
    .description('end a token: no request that comes after gets through')
    .argument('<id>', idWords, tokenIdOrText)
    .option('--reason <text>', 'why, for the record')
    .option('--json', 'print the record')
    .action((id: string, options: Common & { reason?: string }) => revoke(id, options, shell));
  addTokenLife(token, shell);
  addTokenPurge(token, shell);
  addImport(token, shell);
  addExport(token, shell);
}

async function create(options: CreateOptions, shell: Shell): Promise<void> {
  const { type, label, scope: scopes, attribute: attributes, origin: origins, expiresIn, canary } = options;
  const body = { type, label, scopes, attributes, origins, expires_in: lasting(expiresIn), canary };
  const view = allowed(
    await ask<ToldSecret>(options, { name: 'createToken', body, access: 'create' }, shell),
  );
  if (options.json) return printJson(shell, view);
  const what = canary ? 'canary' : 'token';
  const bare = canary || view.scopes.length > 0 ? '' : ', with no scope';
  shell.err(`${view.id}: ${what} of type ${view.type}, "${view.label}"${bare}. It is shown this once:\n`);
  shell.out(`${view.token}\n`);
}

async function list(options: ListOptions, shell: Shell): Promise<void> {
  const { type, attribute, limit, after, unusedFor } = options;
  if (type === undefined && attribute.length > 0) {
    throw new CommandFailed(exitCodes.usage, 'attributes of no type; add --type');
  }
  const asksJson = isJson(options, shell);
  const asking = {
    name: 'listTokens',
    query: { type, attribute, limit: String(limit), after, unused_for: lasting(unusedFor) ?? undefined },
    access: 'read',
    nothing: (policy: Policy, place: string): Checked<ToldPage> => {
      const known = type === undefined ? null : attributesOf(policy, type, attribute);
      if (known?.ok === false) return known;
      if (!asksJson) shell.err(`there is no database yet at ${place}\n`);
      return { ok: true, value: { tokens: [], next: null } };
    },
  } as const;
  const page = allowed(await ask<ToldPage>(options, asking, shell));
  const { tokens } = page;
  if (asksJson) return printJson(shell, page);
  if (tokens.length === 0) return shell.err('no tokens\n');
  const [header = '', ...lines] = formatTable([
    ['ID', 'TYPE', 'LABEL', 'TOKEN', 'STATE', 'CREATED', 'LAST USED', 'EXPIRES', 'SCOPES'],
    ...tokens.map(rowOf),
  ]);
  shell.out(`${[paint(shell, 'bold', header), ...lines].join('\n')}\n`);
  if (page.next !== null) shell.err(`there are more: --after ${page.next}\n`);
}

function rowOf(token: ToldToken): readonly string[] {
  const { id, type, label, preview, state, scopes } = token;
  const times = [token.created_at, token.last_used_at ?? 'never', endOf(token) ?? 'never'];
  // Last, for nothing stands after it: a token with many makes no other line longer.
  return [id, type, label, preview, state, ...times.map(toMinute), scopes.join(' ') || '-'];
}

/** Whatever comes first: its expiry, or the end of what it was left when a successor came; perhaps before. */
function endOf({ expires_at, retire_at, retirement }: ToldToken): string | null {
  if (retirement !== null) return `${toMinute(retirement.ends_at)} or when quiet`;
  if (expires_at === null || retire_at === null) return expires_at ?? retire_at;
  return expires_at < retire_at ? expires_at : retire_at;
}

/** `2026-01-02 03:04Z`: what fits a column. */
function toMinute(time: string): string {
  return time.replace(/^(.{10})T(.{5}).*Z$/, '$1 $2Z');
}

async function show(said: string, options: Common, shell: Shell): Promise<void> {
  const id = await idOf(said, options, shell);
  const asking = { name: 'showToken', params: { id }, access: 'read', nothing: unknownToken } as const;
  const view = allowed(await ask<ToldToken>(options, asking, shell));
  if (isJson(options, shell)) return printJson(shell, view);
  const { retirement, ...record } = view;
  const lines = Object.entries(record).map(([key, value]) => [key, inWords(value)]);
  lines.push(...retirementLines(retirement));
  shell.out(`${formatTable(lines).join('\n')}\n`);
}

/** A line for each of its parts. */
function retirementLines(retirement: RetirementView | null): string[][] {
  if (retirement === null) return [['retirement', inWords(null)]];
  return Object.entries(retirement).map(([key, value]) => [`retirement.${key}`, inWords(value)]);
}

function inWords(value: Exclude<ToldToken[keyof ToldToken], RetirementView> | boolean): string {
  if (value === null) return '-';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.join(' ') || '-';
  const pairs = Object.entries(value).map(([name, held]) => `${name}=${[held].flat().join(',')}`);
  return pairs.join(' ') || '-';
}

async function revoke(said: string, options: Common & { reason?: string }, shell: Shell): Promise<void> {
  const { reason } = options;
  const id = await idOf(said, options, shell);
  const asking = {
    name: 'revokeToken',
    params: { id },
    body: { reason },
    access: 'change',
    nothing: unknownToken,
  } as const;
  const view = allowed(await ask<ToldToken>(options, asking, shell));
  if (options.json) return printJson(shell, view);
  shell.out(`${view.id} is revoked since ${view.revoked_at}\n`);
}
