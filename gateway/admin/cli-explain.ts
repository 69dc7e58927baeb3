/** `postern explain`: what a request would get, and at which step. Sends and opens nothing. */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Checked } from '../../policy/token-input.ts';
import { explain, type Question, verdictOf } from '../explain.ts';
import type { Rehearsal } from '../rehearsal.ts';
import { askGateway } from './cli-ask.ts';
import { atPlace, type PlaceOptions, placeOf } from './cli-place.ts';
import {
  CommandFailed,
  collect,
  configOf,
  exitCodes,
  formatTable,
  isJson,
  type JsonOptions,
  paint,
  printJson,
  type Shell,
  tableOption,
  understood,
} from './cli-shell.ts';
import type { Api } from './remote.ts';

type Options = PlaceOptions &
  JsonOptions & {
    readonly as?: string;
    readonly attribute: readonly string[];
    readonly header: readonly string[];
    readonly bodyFile?: string;
    readonly pinned: readonly string[];
    readonly origin: readonly string[];
    readonly from?: string;
    readonly nth?: number;
  };

const none: readonly string[] = [];

export function addExplain(program: Command, shell: Shell): void {
  atPlace(program.command('explain'))
    .description('what a request would get, and why; limits are free without --nth')
    .argument('<method>', 'GET, POST, …')
    .argument('<path>', 'path and query, as on the wire')
    .option('--as <type[:scope+scope]>', 'a made-up token of this type asks; left out: nobody')
    .option('--attribute <name=value>', 'an attribute of that token (several; lists: again)', collect, none)
    .option('--origin <origin>', 'an origin that token is pinned to (several)', collect, none)
    .option("--header <'Name: value'>", 'a request header (several)', collect, none)
    .option(
      '--body-file <file>',
      'the request body; sent as application/json unless a --header says otherwise',
    )
    .option('--pinned <pin=id>', 'what is pinned already (several); left out: nothing', collect, none)
    .option('--from <address>', 'the address of the caller; left out: 127.0.0.1')
    .option('--nth <count>', 'the how manieth such request it is, at the same moment; limits count', nthOf)
    .option('--json', 'print {"outcome","status","code","row","upstream","identity","steps"}')
    .addOption(tableOption())
    .action((method: string, target: string, options: Options) => answer(method, target, options, shell));
}

async function answer(method: string, target: string, options: Options, shell: Shell): Promise<void> {
  const place = placeOf(options, shell);
  const { attribute: attributes, header: headers, pinned, origin: origins } = options;
  const { from = null, nth = null } = options;
  const body = options.bodyFile === undefined ? null : readBody(options.bodyFile);
  const as = options.as ?? null;
  const question = { method, target, as, attributes, origins, headers, body, pinned, from, nth };
  const rehearsal = understood(
    place.kind === 'api'
      ? await askExplain(place.api, question)
      : await explainHere(place.file, question, shell),
  );
  if (isJson(options, shell)) printJson(shell, rehearsal);
  else shell.out(`${inWords(rehearsal, shell).join('\n')}\n`);
}

function explainHere(file: string, question: Question, shell: Shell): Promise<Checked<Rehearsal>> {
  const { policy, triggerKeys } = configOf(file, shell);
  return explain(policy, question, triggerKeys);
}

/** The same question, as the admin API reads it. */
function askExplain(api: Api, question: Question): Promise<Checked<Rehearsal>> {
  const { target: path, body = null, as, from, nth, ...said } = question;
  const bytes = body === null ? {} : isUtf8(body) ? { body: textOf(body) } : { body_base64: base64Of(body) };
  const left = { as: as ?? undefined, from: from ?? undefined, nth: nth ?? undefined };
  return askGateway<Rehearsal>(api, { name: 'explain', body: { path, ...said, ...left, ...bytes } });
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const base64Of = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

function nthOf(text: string): number {
  const nth = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
  if (nth >= 1 && nth <= 1_000_000_000) return nth;
  throw new CommandFailed(exitCodes.usage, `"${text}" is no count; write a number from 1 to 1000000000`);
}

function readBody(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch {
    throw new CommandFailed(exitCodes.usage, `cannot read ${file}; give --body-file a file that is there`);
  }
}

function inWords(rehearsal: Rehearsal, shell: Shell): readonly string[] {
  const { steps, identity, outcome } = rehearsal;
  const marks = steps.map(({ ok }) => (ok ? paint(shell, 'green', '✓') : paint(shell, 'red', '✗')));
  const lines = formatTable(steps.map(({ step, detail }) => [step, detail]));
  const told = formatTable(Object.entries(identity).map(([name, value]) => [`${name}:`, value]));
  return [
    ...lines.map((line, index) => `${marks[index]} ${line}`),
    ...told.map((line) => `→ ${line}`),
    paint(shell, outcome === 'refuse' ? 'red' : 'green', verdictOf(rehearsal)),
  ];
}
