/** A primary is lost and its synchronous standby takes over: what was acknowledged is there, and no standby is believed before. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, startStandby, type TestPostgres } from '../fixtures/postgres.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { newToken, USER } from './token-types.ts';

let primary: TestPostgres;
let standby: TestPostgres;
beforeAll(async () => {
  primary = await startPostgres({ synchronous_standby_names: '*', synchronous_commit: 'local' });
  standby = await startStandby(primary);
});
afterAll(async () => {
  await Promise.all([primary.stop(), standby.stop()]);
});

test('a revoke that was acknowledged just before the primary was lost holds at the new one', async () => {
  const before = await openPostgresTokens(primary.url);
  const { plaintext, record } = await before.create(newToken(USER));
  expect(await before.find(plaintext, [USER])).toStrictEqual(record);

  const refused = openPostgresTokens(standby.url);
  await expect(refused).rejects.toMatchObject({ name: 'DatabaseRefused', code: 'unreadable' });
  await expect(refused).rejects.toThrow(/standby/);

  const revoked = await before.revoke(record.id, 'operator', null);
  await primary.crash();
  const fault = expect.objectContaining({ name: 'StoreUnreachable', code: 'store_unavailable' });
  await expect((async () => before.find(plaintext, [USER]))()).rejects.toEqual(fault);
  await before.close();

  await standby.promote();
  const after = await openPostgresTokens(standby.url, { startWaitMs: 5_000 });
  expect(await after.find(plaintext, [USER])).toStrictEqual(revoked);
  expect(await after.create(newToken(USER))).toBeDefined();
  await after.close();
});
