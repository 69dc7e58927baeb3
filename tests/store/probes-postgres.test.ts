/** Activations on PostgreSQL: all that is promised on SQLite, and what its text and its indexes add. */
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { describeProbeStore } from './probes.suite.ts';
import { USER } from './token-types.ts';

const ONE = {
  type: 'probe',
  subject: 'prj_a',
  labelPattern: 'a.*',
  service: '*',
  environment: '*',
  lifeMs: 60_000,
  triggerLifeMs: 60_000,
  by: 'cli',
};

const ENDING = { type: USER, attributes: new Map([['user', 'usr_1']]), by: 'cli', reason: 'test' };

describeProbeStore('PostgreSQL', async () => {
  const database = await createTestDatabase();
  return {
    open: (options) => openPostgresTokens(database.url, options),
    place: ['postgres', database.url],
    remove: database.drop,
  };
});

test('a database of the schema before gets the table; until then nobody reads it', async () => {
  const database = await createTestDatabase();
  await (await openPostgresTokens(database.url)).close();
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query(
    "drop table activations; delete from postern_migrations where name = '0004-activations'",
  );
  await client.end();
  await expect(openPostgresTokens(database.url, { readonly: true })).rejects.toThrow(
    'it lacks 0004-activations',
  );
  const store = await openPostgresTokens(database.url);
  onTestFinished(async () => {
    await store.close();
    await database.drop();
  });
  expect(await store.probes.activate(ONE, 1)).toMatchObject({ subject: 'prj_a' });
  await expect(store.probes.activate({ ...ONE, subject: 'a\0b' }, 1)).rejects.toThrow(/not written/);
  expect((await store.probes.list({ ...ONE, subject: 'a\0b', after: null, limit: 1 })).activations).toEqual(
    [],
  );
});

test('waits for nobody who changes tokens, nor they for it', async () => {
  const database = await createTestDatabase();
  const store = await openPostgresTokens(database.url);
  const client = new pg.Client(database.url);
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await store.close();
    await database.drop();
  });
  // As another process holds it while it regenerates, or ends all of somebody's tokens.
  await client.query('select pg_advisory_lock($1)', [0x4c696665]);
  expect(await store.probes.activate(ONE, 1)).toMatchObject({ subject: 'prj_a' });
  await client.query('select pg_advisory_unlock_all()');
  // As another process holds it while it activates.
  await client.query('select pg_advisory_lock($1)', [0x50726f62]);
  expect(await store.endAll(ENDING)).toBe(0);
});
