/** A second process on the same database, driven over IPC by the tests; it never decides what is tested. */
import type { CreatedToken, TokenStore } from '../../store/token-store.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { newToken, USER } from './token-types.ts';

export type ProcessOrder =
  | { readonly do: 'create' }
  | { readonly do: 'revoke'; readonly id: string }
  | { readonly do: 'find'; readonly plaintext: string }
  /** Creates and revokes without end, reporting each only once it was acknowledged. */
  | { readonly do: 'hammer' };

export type Acknowledged = { readonly id: string; readonly plaintext: string; readonly revoked: boolean };

const [path = ''] = process.argv.slice(2);
const store = await openSqliteTokens({ path, now: Date.now });

process.on('message', async (order: ProcessOrder) => answer(await obey(order)));
process.on('disconnect', () => void store.close());
answer('ready');

function obey(order: ProcessOrder): unknown {
  if (order.do === 'create') return store.create(newToken(USER)).then(plain);
  if (order.do === 'revoke') return store.revoke(order.id, 'the other process', null).then(() => true);
  if (order.do === 'find') return stateOf(order.plaintext);
  return Promise.all([hammer(store), hammer(store), hammer(store)]);
}

async function stateOf(plaintext: string): Promise<'unknown' | 'live' | 'revoked'> {
  const record = await store.find(plaintext, [USER]);
  if (record === null) return 'unknown';
  return record.revokedAt === null ? 'live' : 'revoked';
}

async function hammer(tokens: TokenStore): Promise<never> {
  for (;;) {
    const created = plain(await tokens.create(newToken(USER)));
    answer({ ...created, revoked: false } satisfies Acknowledged);
    await tokens.revoke(created.id, 'the other process', null);
    answer({ ...created, revoked: true } satisfies Acknowledged);
  }
}

function plain({ record, plaintext }: CreatedToken): { id: string; plaintext: string } {
  return { id: record.id, plaintext };
}

function answer(message: unknown): void {
  process.send?.(message);
}
