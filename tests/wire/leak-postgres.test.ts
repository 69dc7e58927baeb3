/** Reports of leaks and canaries where tokens are kept in PostgreSQL. */
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { actionsOn, alertsOf, report, start, statusOf, typesOf } from './leak-stage.ts';

test('a report on PostgreSQL is acted on once, and a canary is told', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const gateway = await start(null, '', `store: { url: "${database.url}" }`);
  const [leaked, ended] = [await gateway.mint('slower'), await gateway.mint('ended')];
  const [type] = typesOf(gateway);
  if (type === undefined) throw new Error('there are no types');
  const canary = await gateway.running.tokens.create({
    ...{ type, label: 'c', scopes: ['read'], attributes: new Map(), origins: [], expiresAt: null },
    ...{ createdBy: 'test', canary: true },
  });
  const reports = [leaked, ended, { token: canary.plaintext }].map(({ token }) => ({ token, url: '\u0000' }));
  expect((await report(gateway, reports)).status).toBe(200);
  await gateway.running.tokens.enable(leaked.id, 'operator');
  expect((await report(gateway, reports)).status).toBe(200);
  const statuses = await Promise.all(
    [leaked.token, ended.token, canary.plaintext].map((token) => statusOf(gateway, token)),
  );
  expect(statuses).toEqual([200, 401, 401]);
  expect(await actionsOn(gateway, ended.id)).toEqual([
    'test token.create',
    'leak-report token.revoke',
    'postern alert.raised',
  ]);
  await expect
    .poll(async () => (await alertsOf(gateway)).map(({ kind }) => kind).sort())
    .toEqual(['canary.used', 'leak.reported', 'leak.reported', 'leak.reported']);
});
