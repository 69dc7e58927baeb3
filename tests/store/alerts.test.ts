/** Alerts and sightings on SQLite and on PostgreSQL. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { type AlertsDatabase, describeAlertStore, spike } from './alerts.suite.ts';
import { emptiedDatabase } from './emptied-database.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { describeSightingStore } from './sightings.suite.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { NOW, newToken, USER } from './token-types.ts';

const sqlite = async (): Promise<AlertsDatabase> => {
  const path = join(temporaryFolder(), 'alerts.db');
  return { open: ({ now }) => openSqliteTokens({ path, now }), remove: async () => {} };
};

const createDatabase = emptiedDatabase();
const postgres = async (): Promise<AlertsDatabase> => {
  const database = await createDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
};

for (const [name, create] of [
  ['SQLite', sqlite],
  ['PostgreSQL', postgres],
] as const) {
  describeAlertStore(name, create);
  describeSightingStore(name, create);
}

const drop =
  "drop table alerts; drop table places; drop table tallies; delete from postern_migrations where name = '0008-alerts'";

test('a database from before them gets them, and keeps its tokens', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const before = await openSqliteTokens({ path, now: () => NOW });
  const { plaintext, record } = await before.create(newToken(USER));
  await before.close();
  const older = new Database(path);
  older.exec(drop);
  older.close();
  const reading = openSqliteTokens({ path, now: () => NOW, readonly: true });
  await expect(reading).rejects.toThrow('it lacks 0008-alerts');
  const store = await openSqliteTokens({ path, now: () => NOW });
  onTestFinished(() => store.close());
  expect(store.find(plaintext, [USER])).toStrictEqual(record);
  expect(await store.alerts.raise(spike())).not.toBeNull();
});

test('so does a PostgreSQL from before them', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const before = await openPostgresTokens(database.url);
  const { plaintext, record } = await before.create(newToken(USER));
  await before.close();
  for (const statement of drop.split('; ')) await database.query(statement);
  await expect(openPostgresTokens(database.url, { readonly: true })).rejects.toThrow('it lacks 0008-alerts');
  const store = await openPostgresTokens(database.url);
  onTestFinished(() => store.close());
  expect(await store.find(plaintext, [USER])).toStrictEqual(record);
  expect(await store.alerts.raise(spike())).not.toBeNull();
});
