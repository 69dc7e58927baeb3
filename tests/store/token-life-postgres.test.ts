/** The life of tokens on PostgreSQL, and a schema from before attributes were found by their values. */
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { emptiedDatabase } from './emptied-database.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { describeRetirements } from './retirements.suite.ts';
import { describeTokenChanges } from './token-changes.suite.ts';
import type { CreateDatabase } from './token-database.ts';
import { describeEndingTokens } from './token-ending.suite.ts';
import { describeTokenEnds } from './token-ends.suite.ts';
import { describeTokenLearning } from './token-learning.suite.ts';
import { describeTokenLife } from './token-life.suite.ts';
import { describeTokenOnce } from './token-once.suite.ts';
import { NOW, newToken, USER } from './token-types.ts';
import { describeUnusedTokens } from './token-unused.suite.ts';

const createDatabase = emptiedDatabase();

const onPostgres: CreateDatabase = async () => {
  const database = await createDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
};

describeTokenLife('PostgreSQL', onPostgres);
describeTokenChanges('PostgreSQL', onPostgres);
describeTokenLearning('PostgreSQL', onPostgres);
describeTokenEnds('PostgreSQL', onPostgres);
describeTokenOnce('PostgreSQL', onPostgres);
describeUnusedTokens('PostgreSQL', onPostgres);
describeEndingTokens('PostgreSQL', onPostgres);
describeRetirements('PostgreSQL', onPostgres);

test('a rotation that meets a revoke under way waits for it, and makes no successor of a dead token', async () => {
  const { url, drop } = await createDatabase();
  onTestFinished(drop);
  const store = await openPostgresTokens(url, { now: () => NOW });
  const { record } = await store.create(newToken(USER));
  const [revoker, watcher] = [new pg.Client(url), new pg.Client(url)];
  await Promise.all([revoker.connect(), watcher.connect()]);
  await revoker.query('begin');
  await revoker.query('update tokens set revoked_at = $2 where id = $1', [record.id, NOW]);
  const rotating = store.rotate(record.id, USER, 1000, 'test');
  const waiting = `select 1 from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%update tokens%'`;
  await expect.poll(async () => (await watcher.query(waiting)).rowCount).toBe(1);
  await revoker.query('commit');
  await Promise.all([revoker.end(), watcher.end()]);
  const rotation = await rotating;
  const { tokens } = await store.list({ limit: 10 });
  await store.close();
  expect(rotation).toMatchObject({ kind: 'refused', record: { id: record.id, rotatedTo: null } });
  expect(tokens.map(({ id }) => id)).toEqual([record.id]);
});

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

test('a schema from before retirements gets the table, and keeps its tokens', async () => {
  const { url, drop } = await createTestDatabase();
  onTestFinished(drop);
  const older = await openPostgresTokens(url, { now: () => NOW });
  const { record } = await older.create(newToken(USER));
  await older.close();
  const client = new pg.Client(url);
  await client.connect();
  await client.query(
    "drop table retirements; delete from postern_migrations where name = '0010-retirements'",
  );
  await client.end();
  const store = await openPostgresTokens(url, { now: () => NOW });
  await store.rotate(record.id, USER, 1000, 'op', true);
  const pending = await store.retirements.pending('');
  await store.close();
  expect(pending).toMatchObject([{ tokenId: record.id }]);
});
