/** Another process on the same pins, driven over IPC by the tests; it never decides what is tested. */
import type { PinKey, PinRecord } from '../../store/pin-store.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { openPostgresTokens } from './postgres-tokens.ts';

export type PinOrder =
  | { readonly do: 'pinFirst'; readonly key: PinKey; readonly value: string; readonly by: string }
  | { readonly do: 'change'; readonly key: PinKey; readonly value: string | null }
  | { readonly do: 'read'; readonly key: PinKey }
  /** Pins and changes without end, reporting each only once it was acknowledged. */
  | { readonly do: 'hammer'; readonly name: string };

export type AcknowledgedPin = { readonly key: PinKey; readonly value: string };

const [kind = '', place = ''] = process.argv.slice(2);
const store =
  kind === 'postgres'
    ? await openPostgresTokens(place)
    : await openSqliteTokens({ path: place, now: Date.now });
const { pins } = store;

process.on('message', async (order: PinOrder) => answer(await obey(order)));
process.on('disconnect', () => void store.close());
answer('ready');

function obey(order: PinOrder): Promise<PinRecord | null> | PinRecord | null | Promise<never> {
  if (order.do === 'pinFirst') return pins.pinFirst(order.key, order.value, order.by).then(({ pin }) => pin);
  if (order.do === 'change') return pins.change(order.key, order.value, 'the other process', null);
  if (order.do === 'read') return pins.read(order.key);
  return Promise.race([hammer(`${order.name}-a`), hammer(`${order.name}-b`), hammer(`${order.name}-c`)]);
}

async function hammer(name: string): Promise<never> {
  for (let n = 0; ; n++) {
    const key = { pin: 'app', subject: `project=${name}-${n}` };
    await pins.pinFirst(key, 'first', 'tok_a');
    answer({ key, value: 'first' } satisfies AcknowledgedPin);
    await pins.change(key, 'second', 'tok_b', null);
    answer({ key, value: 'second' } satisfies AcknowledgedPin);
  }
}

function answer(message: unknown): void {
  process.send?.(message);
}
