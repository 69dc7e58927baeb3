/** One token in several rows, on SQLite and on PostgreSQL, and the databases from before they were told apart. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { emptiedDatabase } from './emptied-database.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { describeTokenTwins } from './token-twins.suite.ts';
import { NOW, newToken, PROJECT } from './token-types.ts';

describeTokenTwins('SQLite', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  return { open: (options) => openSqliteTokens({ path, ...options }), remove: async () => {} };
});

const createDatabase = emptiedDatabase();

describeTokenTwins('PostgreSQL', async () => {
  const database = await createDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
});

const undone = "drop index tokens_alike; delete from postern_migrations where name = '0012-tokens-alike'";

test('a file from before purges looked for twins gets the index, and a purge reads it', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const older = await openSqliteTokens({ path, now: () => NOW });
  const { record } = await older.create(newToken(PROJECT));
  await older.close();
  const file = new Database(path);
  file.exec(undone);
  file.close();
  const store = await openSqliteTokens({ path, now: () => NOW });
  onTestFinished(() => store.close());
  expect(store.byId(record.id)).toEqual(record);
  const again = new Database(path);
  const query = `explain query plan select 1 from tokens where exists (select 1 from tokens as other
    where other.lookup = tokens.lookup and other.type = tokens.type and other.id <> tokens.id
      and other.revoked_at is null)`;
  const plan = JSON.stringify(again.prepare(query).all());
  again.close();
  expect(plan).toContain('USING INDEX tokens_alike (lookup=? AND type=?)');
});

test('so does a PostgreSQL from before them', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const older = await openPostgresTokens(database.url);
  const { record } = await older.create(newToken(PROJECT));
  await older.close();
  for (const statement of undone.split('; ')) await database.query(statement);
  const store = await openPostgresTokens(database.url);
  onTestFinished(() => store.close());
  expect(await store.byId(record.id)).toEqual(record);
  const indexes = await database.query("select indexname from pg_indexes where tablename = 'tokens'");
  expect(indexes).toContainEqual({ indexname: 'tokens_alike' });
});
