/** What many may ask for at once on PostgreSQL leaves connections for what every request needs, and for a revoke. */
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { createLine } from '../../store/postgres/line.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { of, regeneration } from './token-life-kit.ts';
import { NOW, newToken, USER } from './token-types.ts';

/** A store, and somebody else's transaction that stands in its way until `release`. */
async function hindered(statement: string) {
  const { url, drop } = await createTestDatabase();
  onTestFinished(drop);
  const store = await openPostgresTokens(url, { now: () => NOW });
  const made = await store.create(newToken(USER));
  const [client, watcher] = [new pg.Client(url), new pg.Client(url)];
  await Promise.all([client.connect(), watcher.connect()]);
  onTestFinished(async () => {
    await Promise.all([client.end(), watcher.end(), store.close()]);
  });
  await client.query('begin');
  await client.query(statement);
  const stuck = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  const waiting = async () => (await watcher.query(stuck)).rowCount;
  return { store, made, waiting, release: () => client.query('commit') };
}

test('lists that take long keep no request from its token', async () => {
  const { store, made, release } = await hindered('lock table token_attributes in access exclusive mode');
  const filter = { type: USER.name, attributes: of('p-1'), limit: 10 };
  const lists = Promise.all(Array.from({ length: 50 }, () => store.list(filter)));
  lists.catch(() => {});
  for (let i = 0; i < 10; i++) expect(await store.find(made.plaintext, [USER])).toEqual(made.record);
  await release();
  for (const { tokens } of await lists) expect(tokens).toEqual([made.record]);
});

test('changes that wait for each other keep no revoke waiting', async () => {
  const { store, made, waiting, release } = await hindered(`select pg_advisory_xact_lock(${0x4c696665})`);
  const changes = Promise.all(Array.from({ length: 20 }, () => store.regenerate(regeneration('q'))));
  changes.catch(() => {});
  await expect.poll(waiting).toBeGreaterThan(0);
  expect((await store.revoke(made.record.id, 'test', null))?.revokedAt).toBe(NOW);
  await release();
  expect((await changes).flatMap(({ replaced }) => replaced)).toHaveLength(19);
});

test('a line lets in so many, has room for so many, and begins nothing that has waited too long', async () => {
  const line = createLine({ inFlightMax: 1, waitingMax: 2, waitMs: 20 });
  const { promise, resolve } = Promise.withResolvers<string>();
  const begun: string[] = [];
  const enter = (name: string, ends: Promise<string>) =>
    line(() => {
      begun.push(name);
      return ends;
    });
  const first = enter('first', promise);
  const late = Promise.allSettled([enter('second', promise), enter('third', promise)]);
  const fault = { name: 'StoreFault', code: 'store_unavailable' };
  await expect(enter('fourth', promise)).rejects.toMatchObject(fault);
  setTimeout(() => resolve('done'), 30);
  expect(await first).toBe('done');
  for (const one of await late) expect(one).toMatchObject({ status: 'rejected', reason: fault });
  await expect(enter('fifth', Promise.reject(new Error('its own')))).rejects.toThrow('its own');
  expect(await enter('sixth', Promise.resolve('in'))).toBe('in');
  expect(begun).toEqual(['first', 'fifth', 'sixth']);
});
