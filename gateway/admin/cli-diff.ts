/** `postern diff`: what another config would change for callers, before it is in force. */
import { createPublicKey } from 'node:crypto';
import type { Command } from 'commander';
import { diffPolicies } from '../../policy/diff.ts';
import { networksStep, networksText } from '../../policy/diff-networks.ts';
import { compareValues, isSame } from '../../policy/diff-values.ts';
import type { Change, Verdict } from '../../policy/diff-verdicts.ts';
import { verdictOfSteps } from '../../policy/diff-verdicts.ts';
import type { Network } from '../../policy/types.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { SigningKey } from '../config/signing-keys.ts';
import { configOf, exitCodes, formatTable, paint, printJson, type Shell } from './cli-shell.ts';

type Options = { readonly json?: true; readonly strict?: true };

export function addDiff(program: Command, shell: Shell): void {
  program
    .command('diff')
    .description('what changes for callers from one config to another: cells, pins, limits')
    .argument('<old>', 'the config in force')
    .argument('<new>', 'the config to judge')
    .option('--json', 'print {"changes"}')
    .option('--strict', 'exit 1 where anything opens, loosens, or cannot be judged')
    .action((before: string, after: string, options: Options) => diff(before, after, options, shell));
}

const paints = {
  opened: 'red',
  loosened: 'red',
  changed: 'yellow',
  tightened: 'green',
  closed: 'green',
} as const satisfies Record<Verdict, string>;

/** What a person has to look at first. */
const order: readonly Verdict[] = ['opened', 'loosened', 'changed', 'tightened', 'closed'];

function diff(before: string, after: string, { json, strict }: Options, shell: Shell): void {
  const [old, next] = [configOf(before, shell), configOf(after, shell)];
  const changes = [...diffPolicies(old.policy, next.policy), ...settingChanges(old, next)].sort(
    (a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict),
  );
  if (json) printJson(shell, { changes });
  else shell.out(`${report(changes, shell).join('\n')}\n`);
  const widens = changes.some(({ verdict }) => verdict !== 'closed' && verdict !== 'tightened');
  if (strict === true && widens) shell.exit(exitCodes.refused);
}

function report(changes: readonly Change[], shell: Shell): readonly string[] {
  if (changes.length === 0) return ['nothing changes for callers'];
  const lines = formatTable(
    changes.map(({ verdict, row, what, from, to }) => [verdict, row ?? '-', what, `${from} -> ${to}`]),
  );
  return lines.map((line, index) => paint(shell, paints[changes[index]?.verdict ?? 'changed'], line));
}

/** What is not policy: told by key. Where a url may hold a password, only that it differs. */
function settingChanges(old: LoadedConfig, next: LoadedConfig): readonly Change[] {
  const open = ({ listen: { trustedProxies: _, ...listen }, health, admin, upstreams }: LoadedConfig) => ({
    listen,
    health,
    admin,
    ...named(upstreams),
  });
  const hidden = ({ store, audit, redis, signingKeys }: LoadedConfig) => ({
    store,
    audit,
    redis,
    'signing keys': signingKeys.map(publicHalf),
  });
  return [
    ...proxiesChange(old.listen.trustedProxies, next.listen.trustedProxies),
    ...compareValues(null, '', open(old), open(next)),
    ...compareValues(null, '', hidden(old), hidden(next)).map((change) => ({
      ...change,
      from: '…',
      to: '…',
    })),
  ];
}

/** Whoever is trusted says who the caller is: more of them is more than before. */
function proxiesChange(was: readonly Network[], is: readonly Network[]): readonly Change[] {
  if (isSame(was, is)) return [];
  const step = networksStep(was, is);
  const verdict = step === null ? 'changed' : verdictOfSteps([step]);
  return [{ verdict, row: null, what: 'trusted proxies', from: networksText(was), to: networksText(is) }];
}

/** Whoever has another key speaks for us: the same file name does not make it the same key. */
function publicHalf(one: SigningKey): unknown {
  return one.kind === 'missing' ? one : createPublicKey(one.key).export({ format: 'jwk' });
}

function named(upstreams: LoadedConfig['upstreams']): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...upstreams].map(([name, settings]) => [`upstream ${name}`, settings]));
}
