/** A process that revokes tokens in PostgreSQL and says when each was acknowledged; started by revoke-postgres.test.ts. */
import { openPostgresTokens } from '../store/postgres-tokens.ts';

/** `ackNs` is on the monotonic clock, which all processes of a machine share. */
export type Revoked = { readonly id: string; readonly ackNs: string };

const [url = ''] = process.argv.slice(2);
const store = await openPostgresTokens(url);

process.on('message', async (id: string) => {
  await store.revoke(id, 'the revoker', null);
  process.send?.({ id, ackNs: String(process.hrtime.bigint()) } satisfies Revoked);
});
process.on('disconnect', () => void store.close());
process.send?.('ready');
