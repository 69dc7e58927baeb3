/** The life of tokens on SQLite, and a file from before attributes were found by their values. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { statementOf } from '../../store/schema.ts';
import { selectPage } from '../../store/token-attributes.ts';
import { CANDIDATES } from '../../store/token-reads.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { describeRetirements } from './retirements.suite.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { describeTokenChanges } from './token-changes.suite.ts';
import type { CreateDatabase } from './token-database.ts';
import { describeEndingTokens } from './token-ending.suite.ts';
import { describeTokenEnds } from './token-ends.suite.ts';
import { describeTokenLearning } from './token-learning.suite.ts';
import { describeTokenLife } from './token-life.suite.ts';
import { describeTokenOnce } from './token-once.suite.ts';
import { NOW, newToken, USER } from './token-types.ts';
import { describeUnusedTokens } from './token-unused.suite.ts';

const onSqlite: CreateDatabase = async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  return { open: (options) => openSqliteTokens({ path, ...options }), remove: async () => {} };
};

describeTokenLife('SQLite', onSqlite);
describeTokenChanges('SQLite', onSqlite);
describeTokenLearning('SQLite', onSqlite);
describeTokenEnds('SQLite', onSqlite);
describeTokenOnce('SQLite', onSqlite);
describeUnusedTokens('SQLite', onSqlite);
describeEndingTokens('SQLite', onSqlite);
describeRetirements('SQLite', onSqlite);

test('tokens of an older file are found by their attributes once it is open', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const older = await openSqliteTokens({ path, now: () => NOW });
  const { record } = await older.create(newToken(USER));
  await older.create(newToken(USER, { attributes: new Map() }));
  await older.close();
  const file = new Database(path);
  file.exec(`drop table token_attributes; drop index tokens_rotated_to;
    delete from postern_migrations where name = '0003-token-attributes'`);
  file.close();
  const store = await openSqliteTokens({ path, now: () => NOW });
  onTestFinished(() => store.close());
  const attributes = new Map<string, string | string[]>([
    ['project', 'p-1'],
    ['teams', ['a', 'b']],
  ]);
  expect(store.list({ attributes, limit: 10 }).tokens).toEqual([record]);
});

test('the tokens of a project are found by an index', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const store = await openSqliteTokens({ path, now: () => NOW });
  onTestFinished(() => store.close());
  const file = new Database(path);
  const filter = { type: USER.name, attributes: new Map([['project', 'p']]), limit: 20 };
  const { sql, parameters } = statementOf(selectPage(filter, 21));
  const plan = JSON.stringify(file.prepare(`explain query plan ${sql}`).all(...parameters));
  file.close();
  expect(plan).toContain('token_attributes_value');
  expect(plan).toContain('SEARCH tokens USING INDEX sqlite_autoindex_tokens_1 (id=?)');
});

test('a bcrypt row is found by its first characters, however many wait for their digest', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const store = await openSqliteTokens({ path, now: () => NOW });
  onTestFinished(() => store.close());
  const file = new Database(path);
  const plan = JSON.stringify(file.prepare(`explain query plan ${CANDIDATES}`).all('prj_', 'project'));
  file.close();
  expect(plan).toContain('SEARCH tokens USING INDEX tokens_lookup (lookup=? AND type=?)');
});

test('a file from before retirements gets the table, and keeps its tokens', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const older = await openSqliteTokens({ path, now: () => NOW });
  const { record } = await older.create(newToken(USER));
  await older.close();
  const file = new Database(path);
  file.exec("drop table retirements; delete from postern_migrations where name = '0010-retirements'");
  file.close();
  const store = await openSqliteTokens({ path, now: () => NOW });
  onTestFinished(() => store.close());
  expect(store.byId(record.id)).toEqual(record);
  await store.rotate(record.id, USER, 1000, 'op', true);
  expect(await store.retirements.pending('')).toMatchObject([{ tokenId: record.id }]);
});
