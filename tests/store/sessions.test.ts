/** Sessions on SQLite and on PostgreSQL; and a database from before them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { emptiedDatabase } from './emptied-database.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { sessionsSuite } from './sessions.suite.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('on SQLite', () => {
  sessionsSuite(async (now) => {
    const folder = temporaryFolder();
    const store = await openSqliteTokens({ path: join(folder, 'sessions.db'), now });
    onTestFinished(() => store.close());
    const dump = async () =>
      readdirSync(folder)
        .map((name) => readFileSync(join(folder, name), 'latin1'))
        .join('');
    return { store, dump };
  });

  test('a file from before sessions is brought up to date, with all that is in it', async () => {
    const older = join(temporaryFolder(), 'older.db');
    const first = await openSqliteTokens({ path: older, now: Date.now });
    await first.pins.pinFirst({ pin: 'app', subject: 'project=a' }, 'com.example', 'tok_1');
    await first.close();
    const file = new Database(older);
    file.exec(
      "drop table sessions; drop index tokens_type; delete from postern_migrations where name = '0009-dashboard'",
    );
    file.close();
    const store = await openSqliteTokens({ path: older, now: Date.now });
    onTestFinished(() => store.close());
    const holder = { kind: 'operator', name: 'ada' } as const;
    const { secret } = await store.sessions.open({ holder, proof: '', address: '', by: 'x' });
    expect(await store.sessions.find(secret)).not.toBeNull();
    expect(await store.pins.read({ pin: 'app', subject: 'project=a' })).toMatchObject({
      value: 'com.example',
    });
  });
});

describe('on PostgreSQL', () => {
  const createDatabase = emptiedDatabase();
  sessionsSuite(async (now) => {
    const database = await createDatabase();
    onTestFinished(database.drop);
    const store = await openPostgresTokens(database.url, { now });
    onTestFinished(() => store.close());
    return { store, dump: async () => JSON.stringify(await database.query('select * from sessions')) };
  });

  test('a schema from before sessions is brought up to date', async () => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    await (await openPostgresTokens(database.url)).close();
    await database.query(
      "drop table sessions; drop index tokens_type; delete from postern_migrations where name = '0009-dashboard'",
    );
    const store = await openPostgresTokens(database.url);
    onTestFinished(() => store.close());
    expect(await store.sessions.list(null)).toEqual([]);
  });
});
