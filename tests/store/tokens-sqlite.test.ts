/** What tokens on SQLite promise beyond the common contract: locks, files, and what is on the disk. */
import { readdirSync, readFileSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { StoreAlert } from '../../store/tokens-options.ts';
import { openSqliteTokens, type SqliteTokensOptions } from '../../store/tokens-sqlite.ts';
import { longestGapMs } from './event-loop.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { NOW, newToken, PROJECT, UPGRADING, USER } from './token-types.ts';
import { describeTokenStore } from './tokens.suite.ts';

describeTokenStore('SQLite', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  return { open: (options) => openSqliteTokens({ path, ...options }), remove: async () => {} };
});

async function openTokens(options: Partial<SqliteTokensOptions> = {}) {
  const folder = temporaryFolder();
  const path = join(folder, 'tokens.db');
  const alerts: StoreAlert[] = [];
  const store = await openSqliteTokens({
    path,
    now: () => NOW,
    onAlert: (alert) => alerts.push(alert),
    ...options,
  });
  onTestFinished(() => store.close());
  return { store, path, folder, alerts };
}

/** Holds the write lock until released, as another process in the middle of a long write would. */
function lock(path: string): () => void {
  const connection = new Database(path);
  connection.exec('begin immediate');
  return () => connection.close();
}

describe('against another process that holds the write lock', () => {
  test('reads go on, a write is a fault within its wait, and nothing is half-done', async () => {
    const { store, path } = await openTokens({ lockWaitMs: 200 });
    const { plaintext, record } = await store.create(newToken(USER));
    const release = lock(path);
    const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
    const writes = [store.create(newToken(USER)), store.revoke(record.id, 'operator', null)];
    expect(store.find(plaintext, [USER])).toStrictEqual(record);
    const rejected = { status: 'rejected', reason: fault };
    expect(await Promise.allSettled(writes)).toEqual([rejected, rejected]);
    release();
    expect(store.list({ limit: 10 }).tokens).toStrictEqual([record]);
    expect(await store.revoke(record.id, 'operator', null)).toMatchObject({ version: 2 });
  });

  test('the event loop does not wait with the writer', { retry: 2 }, async () => {
    const { store, path } = await openTokens({ lockWaitMs: 300 });
    const release = lock(path);
    const gapMs = await longestGapMs(store.create(newToken(USER)).catch(() => {}));
    release();
    expect(gapMs).toBeLessThan(100);
  });

  test('uses that could not be written are written later', async () => {
    const { store, path, alerts } = await openTokens({ lockWaitMs: 50 });
    const { record } = await store.create(newToken(USER));
    const release = lock(path);
    store.touch(record.id, NOW + 1);
    await store.flush();
    expect(alerts.map((alert) => alert.code)).toEqual(['uses_not_written']);
    release();
    await store.flush();
    expect(store.byId(record.id)?.lastUsedAt).toBe(NOW + 1);
  });

  test('a digest that could not be written does not break the answer', async () => {
    const { store, path, alerts } = await openTokens({ lockWaitMs: 50 });
    const { plaintext, record } = await store.create(newToken(UPGRADING));
    const release = lock(path);
    expect(await store.find(plaintext, [UPGRADING])).toStrictEqual(record);
    await store.close();
    release();
    expect(alerts).toMatchObject([{ code: 'digest_not_written', detail: record.id }]);
  });
});

describe('the database file', () => {
  test('is made with its folder, for its owner only', async () => {
    const folder = join(temporaryFolder(), 'data', 'deep');
    const { store } = await openTokens({ path: join(folder, 'tokens.db') });
    await store.create(newToken(USER));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
    expect(readdirSync(folder)).toContain('tokens.db-wal');
  });

  test('never holds a plaintext, nor its random part, in any of its files', async () => {
    const { store, folder } = await openTokens();
    const secrets: string[] = [];
    for (const type of [USER, PROJECT, UPGRADING]) {
      const { plaintext, record } = await store.create(newToken(type));
      await store.find(plaintext, [type]);
      await store.revoke(record.id, 'operator', 'done');
      // The first characters are shown on purpose (preview, lookup); the rest must be nowhere.
      secrets.push(plaintext.slice(12));
    }
    const holders = () => {
      const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
      return files.filter((bytes) => secrets.some((secret) => bytes.includes(secret))).length;
    };
    expect(holders()).toBe(0);
    await store.close();
    expect(holders()).toBe(0);
  });

  test.each(['deleted', 'replaced'])(
    '%s while open: nothing is believed and nothing is acknowledged',
    async (how) => {
      const { store, path } = await openTokens();
      const { plaintext } = await store.create(newToken(USER));
      renameSync(path, `${path}.away`);
      if (how === 'replaced') new Database(path).exec('create table t (a)').close();
      const fault = expect.objectContaining({ name: 'StoreFault', message: expect.stringContaining(how) });
      await expect(store.create(newToken(USER))).rejects.toEqual(fault);
      expect(store.health()).toMatchObject({ ok: false, reason: expect.stringContaining('restart') });
      expect(() => store.find(plaintext, [USER])).toThrow(fault);
    },
  );

  test('damaged while open: a token in it is "cannot tell", never "unknown"', async () => {
    const { store, path } = await openTokens();
    const { plaintext } = await store.create(newToken(USER));
    const other = new Database(path);
    other.pragma('wal_checkpoint(TRUNCATE)');
    other.close();
    truncateSync(path, 4096);
    const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
    expect(() => store.find(plaintext, [USER])).toThrow(fault);
    expect(store.health().ok).toBe(false);
  });
});

describe('a store opened to read only', () => {
  test('reads beside a running gateway and writes nothing', async () => {
    const { store, path } = await openTokens();
    const { plaintext, record } = await store.create(newToken(USER));
    const reader = await openSqliteTokens({ path, now: () => NOW, readonly: true });
    onTestFinished(() => reader.close());
    expect(reader.find(plaintext, [USER])).toStrictEqual(record);
    await expect(reader.create(newToken(USER))).rejects.toThrow(/opened to read only/);
    await store.revoke(record.id, 'operator', null);
    expect(reader.find(plaintext, [USER])).toMatchObject({ revokedBy: 'operator' });
  });

  test('does not make a missing file', async () => {
    const path = join(temporaryFolder(), 'tokens.db');
    const opening = openSqliteTokens({ path, now: () => NOW, readonly: true });
    await expect(opening).rejects.toMatchObject({ name: 'DatabaseRefused', code: 'missing' });
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });
});
