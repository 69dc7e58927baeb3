/** A process of its own that adds to an audit whose key it has; driven by the tests. */
import { createSecretKey } from 'node:crypto';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { newToken, USER } from './token-types.ts';

const [place = '', key = '', count = '0'] = process.argv.slice(2);
const options = { now: Date.now, auditKeys: () => [createSecretKey(key, 'utf8')] };
const store = place.startsWith('postgres')
  ? await openPostgresTokens(place, options)
  : await openSqliteTokens({ path: place, ...options });

process.send?.('ready');
process.once('message', async () => {
  const half = Number(count) / 2;
  await Promise.all([0, 1].map((one) => work(one, half)));
  await store.close();
  process.send?.('done');
  process.disconnect();
});

async function work(one: number, rows: number): Promise<void> {
  for (let n = 0; n < rows; n += 2) {
    const { record } = await store.create(newToken(USER));
    await store.revoke(record.id, `process ${process.pid}, ${one}`, null);
  }
}
