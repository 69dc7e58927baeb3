/** Pins and audit rows on SQLite, beyond the common contract. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MIGRATIONS } from '../../store/migrations.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { describePinStore } from './pins.suite.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { NOW, newToken, USER } from './token-types.ts';

describePinStore('SQLite', async () => {
  const path = join(temporaryFolder(), 'pins.db');
  return {
    open: ({ now }) => openSqliteTokens({ path, now }),
    place: ['sqlite', path],
    remove: async () => {},
  };
});

async function openTokens(lockWaitMs = 2_000) {
  const path = join(temporaryFolder(), 'tokens.db');
  const store = await openSqliteTokens({ path, now: () => NOW, lockWaitMs });
  onTestFinished(() => store.close());
  return { path, store };
}

const everything = { subject: null, after: null, limit: 1_000 };

describe('pins on SQLite', () => {
  test('against a held lock: reads go on, a write is a fault, and nothing is half-done', async () => {
    const { path, store } = await openTokens(100);
    const key = { pin: 'app', subject: 'project=a' };
    const { pin: pinned } = await store.pins.pinFirst(key, 'one', 'tok_1');
    const other = new Database(path);
    other.exec('begin immediate');
    const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
    await expect(store.pins.change(key, 'two', 'cli', null)).rejects.toEqual(fault);
    await expect(store.pins.pinFirst({ ...key, pin: 'b' }, 'two', 'tok_1')).rejects.toEqual(fault);
    expect(store.pins.read(key)).toStrictEqual(pinned);
    other.close();
    expect(store.audit.list(everything)).toMatchObject({ entries: [{ action: 'pin.first_use' }] });
  });

  test('what is no cursor starts from the beginning', async () => {
    const { store } = await openTokens();
    await store.pins.pinFirst({ pin: 'app', subject: 'project=a' }, 'one', 'tok_1');
    for (const after of ['', 'x', 'bnVsbA', 'W10']) {
      expect(store.pins.list({ pin: null, subject: null, after, limit: 1 }).pins).toHaveLength(1);
    }
  });

  test('a database of the first schema gets them, and keeps its tokens', async () => {
    const { path, store } = await openTokens();
    const { plaintext, record } = await store.create(newToken(USER));
    await store.close();
    const older = new Database(path);
    older.exec("drop table pins; drop table audit; delete from postern_migrations where name = '0002-pins'");
    older.close();
    const reading = openSqliteTokens({ path, now: () => NOW, readonly: true });
    await expect(reading).rejects.toThrow(`it lacks ${MIGRATIONS[1]?.name}`);
    const again = await openSqliteTokens({ path, now: () => NOW });
    onTestFinished(() => again.close());
    expect(again.find(plaintext, [USER])).toStrictEqual(record);
    const { pin } = await again.pins.pinFirst({ pin: 'app', subject: 's' }, 'one', 'tok_1');
    expect(pin.version).toBe(1);
  });
});
