/** Which files are refused at start, with what to do, and that refusing changes nothing. */
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { sqlitePath } from '../../store/database.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { NOW, newToken, USER } from './token-types.ts';

const open = (path: string) => openSqliteTokens({ path, now: () => NOW });

/** A closed database with enough tokens to fill some pages. */
async function filledDatabase(): Promise<string> {
  const path = join(temporaryFolder(), 'tokens.db');
  const store = await open(path);
  for (let n = 0; n < 40; n++) await store.create(newToken(USER));
  await store.close();
  return path;
}

async function expectRefusal(path: string, code: string, message: RegExp): Promise<void> {
  const before = readFileSync(path);
  await expect(open(path)).rejects.toMatchObject({
    name: 'DatabaseRefused',
    code,
    message: expect.stringContaining(path),
  });
  await expect(open(path)).rejects.toThrow(message);
  expect(readFileSync(path).equals(before)).toBe(true);
}

describe('a database that is refused, and not changed', () => {
  test('one written by a newer version: use that, or a backup', async () => {
    const path = await filledDatabase();
    new Database(path).exec("insert into postern_migrations values ('9999-later', 1)").close();
    await expectRefusal(path, 'newer_schema', /newer Postern \(9999-later.*Use that version/);
  });

  test('one that is not a database at all: restore a backup', async () => {
    const path = await filledDatabase();
    writeFileSync(path, 'this is no database'.repeat(500));
    await expectRefusal(path, 'corrupt', /Restore a backup/);
  });

  test('one with its last page overwritten', async () => {
    const path = await filledDatabase();
    const bytes = readFileSync(path);
    bytes.fill(0x5a, bytes.length - 4096);
    writeFileSync(path, bytes);
    await expectRefusal(path, 'corrupt', /damaged/);
  });

  test('one cut short', async () => {
    const path = await filledDatabase();
    truncateSync(path, 10_000);
    await expectRefusal(path, 'corrupt', /damaged/);
  });

  test('one cut to nothing is not taken for a new one', async () => {
    const path = await filledDatabase();
    truncateSync(path, 0);
    await expectRefusal(path, 'corrupt', /the file is empty.*Restore a backup/);
  });

  test("another program's", async () => {
    const path = join(temporaryFolder(), 'other.db');
    new Database(path).exec('create table tokens (a)').close();
    await expectRefusal(path, 'unreadable', /another program.*Name another file/);
  });
});

describe('a place that is refused', () => {
  test('a lost database whose -wal is still there is not started anew', async () => {
    const path = join(temporaryFolder(), 'tokens.db');
    writeFileSync(`${path}-wal`, 'frames');
    await expect(open(path)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('-wal'),
    });
    expect(existsSync(path)).toBe(false);
  });

  test('a folder where the file should be', async () => {
    const path = join(temporaryFolder(), 'tokens.db');
    mkdirSync(path);
    await expect(open(path)).rejects.toMatchObject({ name: 'DatabaseRefused', code: 'unreadable' });
  });

  test('a file where the folder should be', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(open(join(file, 'tokens.db'))).rejects.toMatchObject({ code: 'unreadable' });
  });
});

describe('starting', () => {
  test('several processes starting at once on nothing share one database', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'tokens.db');
    const stores = await Promise.all([open(path), open(path), open(path)]);
    const [first, second, third] = stores;
    const { plaintext, record } = await first.create(newToken(USER));
    expect(second.find(plaintext, [USER])).toStrictEqual(record);
    expect(third.find(plaintext, [USER])).toStrictEqual(record);
    for (const store of stores) await store.close();
    expect(readdirSync(folder)).toEqual(['tokens.db']);
  });

  test.each([
    ['sqlite:./data/postern.db', '/etc/postern/data/postern.db'],
    ['sqlite:data/postern.db', '/etc/postern/data/postern.db'],
    ['sqlite:/var/lib/postern.db', '/var/lib/postern.db'],
    ['sqlite:///var/lib/my%20data/postern.db', '/var/lib/my data/postern.db'],
    ['../postern.db', '/etc/postern.db'],
  ])('%s beside /etc/postern is %s', (url, path) => {
    expect(sqlitePath(url, '/etc/postern')).toBe(path);
  });

  test.each(['sqlite::memory:', 'sqlite:', ':memory:'])(
    '%s is refused: tokens must outlive the process',
    (url) => {
      expect(() => sqlitePath(url, '/etc/postern')).toThrow(/not a file/);
    },
  );
});
