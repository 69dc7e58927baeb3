/** Activations on SQLite, beyond the common contract. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { describeProbeStore } from './probes.suite.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { NOW, newToken, USER } from './token-types.ts';

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

describeProbeStore('SQLite', async () => {
  const path = join(temporaryFolder(), 'probes.db');
  return {
    open: ({ now }) => openSqliteTokens({ path, now }),
    place: ['sqlite', path],
    remove: async () => {},
  };
});

test('a database of the schema before gets the table, and keeps its tokens', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const store = await openSqliteTokens({ path, now: () => NOW });
  const { plaintext, record } = await store.create(newToken(USER));
  await store.close();
  const older = new Database(path);
  older.exec("drop table activations; delete from postern_migrations where name = '0004-activations'");
  older.close();
  const reading = openSqliteTokens({ path, now: () => NOW, readonly: true });
  await expect(reading).rejects.toThrow('it lacks 0004-activations');
  const again = await openSqliteTokens({ path, now: () => NOW });
  onTestFinished(() => again.close());
  expect(again.find(plaintext, [USER])).toStrictEqual(record);
  expect(await again.probes.activate(ONE, 1)).toMatchObject({ subject: 'prj_a' });
});

test('what was opened to read only activates nothing, and lists', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const store = await openSqliteTokens({ path, now: () => NOW });
  const record = await store.probes.activate(ONE, 1);
  await store.close();
  const reader = await openSqliteTokens({ path, now: () => NOW, readonly: true });
  onTestFinished(() => reader.close());
  await expect(reader.probes.activate(ONE, 2)).rejects.toThrow(/opened to read only/);
  expect(await reader.probes.list({ ...ONE, after: null, limit: 9 })).toEqual({
    activations: [record],
    next: null,
  });
});
