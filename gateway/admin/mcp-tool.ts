/** What a tool is: its words for whoever may call it, what it needs, and what it does once its input is understood. */
import { toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import type { AdminScope } from '../../policy/admin-type.ts';
import { suggest } from '../../policy/config-problem.ts';
import { type Checked, complain } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import type { Need } from '../config/load.ts';
import type { TriggerKeys } from '../trigger.ts';
import type { Access } from './cli-store.ts';
import type { SecretKeeping } from './mcp-secret.ts';
import { commandLine } from './mcp-text.ts';
import type { Desk } from './operations.ts';

/** `read`: what is. `propose`: whether a change would be taken, and the command that makes it. `apply`: the change. */
export type Level = 'read' | 'propose' | 'apply';

/** The config as it is now, and the stores behind it. */
export type Opened = {
  readonly policy: Policy;
  readonly triggerKeys: TriggerKeys;
  /** As `atDesk` of the command line: null where there is no database yet, and `access` does not make one. */
  readonly atDesk: <T>(access: Access, work: (desk: Desk) => T | Promise<T>) => Promise<T | null>;
};

/** What a server is made of; how its messages come and go is another's business. */
export type Room = {
  /** @throws ToolRefused where the config has problems. */
  readonly open: (need: Need) => Opened;
  /** What may be done with tools that need this scope of operators; nothing: there are none. */
  readonly levels: (scope: AdminScope) => ReadonlySet<Level>;
  /** `name=value`: what tokens belong to wherever their type has such an attribute; no call says it, or says otherwise. */
  readonly own: readonly string[];
  readonly secrets: SecretKeeping;
  /** Unix ms. */
  readonly now: () => number;
  /** What ends commands that are proposed: which store or gateway they are for. */
  readonly commandTail: readonly string[];
  /** Whether a client hears of it when the tools have changed. */
  readonly announces: boolean;
};

/** Ends a call with words for whoever made it. */
export class ToolRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ToolRefused';
  }
}

export type Call = Opened & {
  readonly room: Room;
  /** Whether to make the change, or only say what it would be. */
  readonly applies: boolean;
};

/** `say` is a sentence of ours, without a word of others; `data` is as the output schema says. */
export type Answer = Checked<{ readonly say: string; readonly data: Readonly<Record<string, unknown>> }>;

type Entries = Readonly<Record<string, v.GenericSchema>>;

/** How a change looks to whoever decides about calling the tool; null: it changes nothing. */
export type Change = { readonly destructive: boolean; readonly idempotent: boolean } | null;

export type Tool = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** What an operator must hold for it. */
  readonly scope: AdminScope;
  readonly change: Change;
  readonly need: Need;
  readonly input: Entries;
  readonly output: Entries;
  /** `raw`: the arguments as they came. */
  readonly run: (raw: unknown, call: Call) => Promise<Answer>;
};

type Definition<Input extends v.ObjectEntries> = Omit<Tool, 'run' | 'input' | 'need'> & {
  readonly need?: Need;
  readonly input: Input;
  /** Parameters whose names come from the config. */
  readonly named?: Entries;
  readonly run: (
    input: v.InferOutput<v.ObjectSchema<Input, undefined>>,
    call: Call,
    named: Readonly<Record<string, unknown>>,
  ) => Promise<Answer>;
};

export function defineTool<const Input extends v.ObjectEntries>(definition: Definition<Input>): Tool {
  const { named = {}, input: fixed, run, need = 'store', ...rest } = definition;
  const input: Entries = { ...named, ...fixed };
  return {
    ...rest,
    need,
    input,
    run: async (raw, call) => {
      const args = readInput(input, raw);
      if (!args.ok) return args;
      return run(v.parse(v.object(fixed), args.value), call, args.value);
    },
  };
}

/** Names may also be written as the api has them: `token_id` for `tokenId`. What is unknown is refused. */
function readInput(entries: Entries, raw: unknown): Checked<Record<string, unknown>> {
  const given = respelled(entries, raw);
  const unknown = Object.keys(Object(given)).find((name) => !Object.hasOwn(entries, name));
  if (unknown !== undefined && !Array.isArray(given)) {
    const hint = suggest(unknown, Object.keys(entries), 'this tool takes none');
    return complain('no parameter is called', unknown, hint);
  }
  const result = v.safeParse(v.strictObject(entries), given);
  if (result.success) return { ok: true, value: result.output };
  const [issue] = result.issues;
  const [first, ...rest] = issue.path ?? [];
  if (first === undefined) return complain('the arguments are no object', null, 'give them by name');
  const name = String(first.key);
  const hint = `it is ${descriptionOf(entries[name]) ?? 'as the input schema says'}`;
  const place = [name, ...rest.map(({ key }) => String(key))].join('.');
  if (issue.received === 'undefined') return complain(`the parameter ${place} is missing`, null, hint);
  return complain(`the parameter ${place} is no ${issue.expected ?? 'whole number'}`, null, hint);
}

function descriptionOf(schema: v.GenericSchema | undefined): string | undefined {
  if (schema === undefined) return undefined;
  return v.getDescription('wrapped' in schema ? (schema.wrapped as v.GenericSchema) : schema);
}

function respelled(entries: Entries, raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw ?? {};
  const given = Object.entries(raw);
  return Object.fromEntries(
    given.map(([name, value]) => {
      const other = camel(name);
      const isOther = !Object.hasOwn(entries, name) && Object.hasOwn(entries, other);
      return [isOther && !Object.hasOwn(raw, other) ? other : name, value];
    }),
  );
}

/** `project_id` as parameters are spelled: `projectId`. */
export function camel(name: string): string {
  return name.replace(/(?<=[A-Za-z0-9])[_.-]+([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `isWhole`: nothing else may stand in it. Readers pay for every word, so what may be null is said shortly. */
export function jsonSchemaOf(entries: Entries, isWhole: boolean) {
  const schema = isWhole ? v.strictObject(entries) : v.object(entries);
  const { $schema: _, ...json } = toJsonSchema(schema, {
    typeMode: 'input',
    errorMode: 'ignore',
    overrideSchema: ({ jsonSchema: { anyOf, propertyNames: _names, ...rest } }) => {
      const [first, second] = anyOf ?? [];
      if (anyOf === undefined) return rest;
      const isShort = anyOf.length === 2 && typeof first === 'object' && Object.keys(first).join() === 'type';
      const isNull = typeof second === 'object' && second.type === 'null';
      if (!isShort || !isNull || typeof first.type !== 'string') return { ...rest, anyOf };
      return { ...rest, type: [first.type, 'null'] };
    },
  });
  return { ...json, type: 'object' as const };
}

/** What a terminal would be told to do the same. */
export function commandOf({ room }: Call, ...words: readonly string[]): string | null {
  return commandLine(['postern', ...words, ...room.commandTail]);
}

export function text(description: string) {
  return v.pipe(v.string(), v.description(description));
}

export function texts(description: string) {
  return v.pipe(v.array(v.string()), v.description(description));
}

export function whole(description: string, min: number, max: number) {
  return v.pipe(
    v.number(),
    v.integer(),
    v.minValue(min),
    v.maxValue(max),
    v.description(`${description}, ${min} to ${max}`),
  );
}

/** Parameters of every list. */
export const paging = {
  limit: v.optional(whole('how many at most', 1, 1000), 50),
  after: v.optional(text('`next` of the page before, to go on after it')),
};

export const nextPage = v.pipe(
  v.nullable(v.string()),
  v.description('what `after` takes; null: there is no more'),
);
