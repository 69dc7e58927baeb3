/** The life of tokens on PostgreSQL, and a schema from before attributes were found by their values. */
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { describeTokenChanges } from './token-changes.suite.ts';
import type { CreateDatabase } from './token-database.ts';
import { describeTokenLife } from './token-life.suite.ts';
import { NOW, newToken, USER } from './token-types.ts';

const onPostgres: CreateDatabase = async () => {
  const database = await createTestDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
};

describeTokenLife('PostgreSQL', onPostgres);
describeTokenChanges('PostgreSQL', onPostgres);

test('tokens of an older schema are found by their attributes once it is open', async () => {
  const { url, drop } = await createTestDatabase();
  onTestFinished(drop);
  const options = { now: () => NOW };
  const older = await openPostgresTokens(url, options);
  const { record } = await older.create(newToken(USER));
  await older.create(newToken(USER, { attributes: new Map() }));
  await older.close();
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`drop table token_attributes; drop index tokens_rotated_to;
    delete from postern_migrations where name = '0003-token-attributes'`);
  await client.end();
  const store = await openPostgresTokens(url, options);
  const attributes = new Map<string, string | string[]>([
    ['project', 'p-1'],
    ['teams', ['a', 'b']],
  ]);
  const { tokens } = await store.list({ attributes, limit: 10 });
  await store.close();
  expect(tokens).toEqual([record]);
});
