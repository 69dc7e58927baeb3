/** Another process on the same activations, driven over IPC by the tests; it never decides what is tested. */
import type { NewActivation } from '../../store/probe-store.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { openPostgresTokens } from './postgres-tokens.ts';

export type ProbeOrder = {
  readonly activation: NewActivation;
  readonly activeMax: number;
  readonly times: number;
};

/** How many of the order got in. */
export type ProbeAnswer = { readonly added: number };

const [kind = '', place = ''] = process.argv.slice(2);
const store =
  kind === 'postgres'
    ? await openPostgresTokens(place)
    : await openSqliteTokens({ path: place, now: Date.now });

process.on('message', async ({ activation, activeMax, times }: ProbeOrder) => {
  const tries = Array.from({ length: times }, () => store.probes.activate(activation, activeMax));
  const records = await Promise.all(tries);
  answer({ added: records.filter((record) => record !== null).length } satisfies ProbeAnswer);
});
process.on('disconnect', () => void store.close());
answer('ready');

function answer(message: unknown): void {
  process.send?.(message);
}
