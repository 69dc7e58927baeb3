/** `postern usage`: how often tokens were used, by time, row or token; of one: where last, and whether it is still needed. */
import { type Command, Option } from 'commander';
import type { Checked } from '../../policy/token-input.ts';
import type { UsageKey } from '../../store/usage-store.ts';
import { ask, lasting } from './cli-ask.ts';
import { atPlace, type PlaceOptions } from './cli-place.ts';
import {
  allowed,
  count,
  duration,
  formatTable,
  isJson,
  type JsonOptions,
  paint,
  printJson,
  type Shell,
  tableOption,
  visible,
} from './cli-shell.ts';
import { tokenId } from './cli-token-id.ts';
import { unknownToken } from './operations.ts';
import type { UsageView } from './usage-view.ts';

type UsageOptions = PlaceOptions &
  JsonOptions & {
    readonly since: number;
    readonly by: UsageKey;
    readonly limit: number;
  };

const dayMs = 86_400_000;

export function addUsage(program: Command, shell: Shell): void {
  atPlace(program.command('usage'))
    .description('how often tokens were used; of one token also where last')
    .argument('[id]', 'of this token only, tok_…', tokenId)
    .option('--since <duration>', 'how far back, up to 400d', duration, dayMs)
    .addOption(
      new Option('--by <what>', 'what to tell apart').choices(['time', 'route', 'token']).default('time'),
    )
    .option('--limit <number>', 'how many at most, 1 to 1000', count, 100)
    .option('--json', 'print {"since","bucket","rows","last_use","rotation"}')
    .addOption(tableOption())
    .action((id: string | undefined, options: UsageOptions) => usage(id, options, shell));
}

async function usage(id: string | undefined, options: UsageOptions, shell: Shell): Promise<void> {
  const { since: sinceMs, by, limit } = options;
  const asking = {
    name: 'usage',
    query: { token: id, since: lasting(sinceMs) ?? undefined, by, limit: String(limit) },
    access: 'read',
    nothing: (): Checked<UsageView> => {
      if (id !== undefined) return unknownToken();
      const since = new Date(shell.now() - sinceMs).toISOString();
      return { ok: true, value: { since, bucket: 'hour', rows: [], last_use: null, rotation: null } };
    },
  } as const;
  const view = allowed(await ask<UsageView>(options, asking, shell));
  if (isJson(options, shell)) return printJson(shell, view);
  if (view.rows.length === 0) shell.err(`no requests since ${view.since}\n`);
  else shell.out(`${tableOf(view, shell).join('\n')}\n`);
  if (view.last_use !== null) {
    const { at, route, address } = view.last_use;
    shell.err(`last used ${at} for ${visible(route)} from ${visible(address)}\n`);
  }
  if (view.rotation !== null) {
    const { successor, safe_to_retire: safe, because } = view.rotation;
    const word = safe
      ? paint(shell, 'green', 'safe to retire')
      : paint(shell, 'yellow', 'still needed, it seems');
    shell.err(`rotated to ${successor}; ${word}: ${because}\n`);
  }
}

const barWidth = 30;

function tableOf({ rows }: UsageView, shell: Shell): readonly string[] {
  const most = Math.max(...rows.map(total));
  const [header = '', ...lines] = formatTable([
    ['WHAT', 'PASSED', 'REFUSED', 'FAILED', ''],
    ...rows.map((row) => {
      const what = row.start ?? row.route ?? row.token_id ?? '(none)';
      const bar = '█'.repeat(Math.max(1, Math.round((total(row) / most) * barWidth)));
      return [visible(what), ...[row.passed, row.refused, row.failed].map(String), bar];
    }),
  ]);
  return [paint(shell, 'bold', header), ...lines];
}

function total({ passed, refused, failed }: UsageView['rows'][number]): number {
  return passed + refused + failed;
}
