/** What a PostgreSQL database is opened with, refused for, and brought up to. */
import { createHash } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';
import { openPostgresTokens, type PostgresChoices } from './postgres-tokens.ts';
import { importedToken, newToken, PIPED, PROJECT, UPGRADING, USER } from './token-types.ts';

async function freshDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  return database;
}

async function openTokens(url: string, choices: PostgresChoices = {}) {
  const store = await openPostgresTokens(url, choices);
  onTestFinished(() => store.close());
  return store;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('the schema', () => {
  test('is made once, however many start at once', async () => {
    const database = await freshDatabase();
    const stores = await Promise.all(Array.from({ length: 12 }, () => openTokens(database.url)));
    const { plaintext, record } = await (stores[0] as (typeof stores)[0]).create(newToken(USER));
    for (const store of stores) expect(await store.find(plaintext, [USER])).toStrictEqual(record);
    const ledger = await database.query('select name from postern_migrations order by name');
    const names = [
      '0001-tokens',
      '0002-pins',
      '0003-token-attributes',
      '0004-activations',
      '0005-idempotency',
      '0006-usage',
      '0007-audit-chain',
      '0008-alerts',
      '0009-dashboard',
      '0010-retirements',
      '0011-canary',
      '0012-tokens-alike',
    ];
    expect(ledger).toEqual(names.map((name) => ({ name })));
  });

  test('of a newer Postern is refused, and left as it is', async () => {
    const database = await freshDatabase();
    await (await openTokens(database.url)).close();
    await database.query("insert into postern_migrations values ('9999-future', 0)");
    for (const readonly of [false, true]) {
      const opening = openPostgresTokens(database.url, { readonly });
      await expect(opening).rejects.toMatchObject({ name: 'DatabaseRefused', code: 'newer_schema' });
    }
  });

  test("beside another program's tables of these names is refused, and nothing is half-made", async () => {
    const database = await freshDatabase();
    await database.query('create table tokens (theirs text)');
    const opening = openPostgresTokens(database.url);
    await expect(opening).rejects.toMatchObject({ name: 'DatabaseRefused', code: 'unreadable' });
    await expect(opening).rejects.toThrow(/Nothing was changed.*search_path/);
    expect(await database.query("select to_regclass('postern_migrations') as ledger")).toEqual([
      { ledger: null },
    ]);
    await database.query('create schema postern');
    const own = await openTokens(`${database.url}?options=-c%20search_path%3Dpostern`);
    const { plaintext } = await own.create(newToken(USER));
    expect(await own.find(plaintext, [USER])).not.toBeNull();
  });

  test('is not made for a reader: there is nothing to read yet', async () => {
    const database = await freshDatabase();
    const opening = openPostgresTokens(database.url, { readonly: true });
    await expect(opening).rejects.toMatchObject({ name: 'DatabaseRefused', code: 'missing' });
    expect(await database.query("select to_regclass('tokens') as tokens")).toEqual([{ tokens: null }]);
    await openTokens(database.url);
    const reader = await openTokens(database.url, { readonly: true });
    await expect(reader.create(newToken(USER))).rejects.toThrow(/opened to read only/);
    expect((await reader.list({ limit: 1 })).tokens).toEqual([]);
  });

  test('needs no right to make tables once it is there', async () => {
    const database = await freshDatabase();
    await openTokens(database.url);
    const role = `r_${new URL(database.url).pathname.slice(-12)}`;
    await database.query(`create role ${role} login`);
    onTestFinished(async () => void (await database.query(`drop owned by ${role}; drop role ${role}`)));
    const tables = 'tokens, token_attributes, pins, audit, postern_migrations';
    await database.query(`grant select, insert, update on ${tables} to ${role}`);
    const url = new URL(database.url);
    url.username = role;
    const store = await openTokens(url.href);
    const { plaintext } = await store.create(newToken(USER));
    expect(await store.find(plaintext, [USER])).not.toBeNull();
    await store.close();
  });
});

describe('the database', () => {
  test('that nobody serves, or that is not there, is refused with words for an operator and no secret', async () => {
    const { url } = await freshDatabase();
    const absent = new URL(url);
    absent.pathname = '/no_such_database';
    absent.password = 'hunter2';
    const closed = new URL(url);
    closed.port = '1';
    closed.password = 'hunter2';
    for (const { href } of [absent, closed]) {
      const refusal = await openPostgresTokens(href).catch((error: Error) => error);
      expect(refusal).toMatchObject({ name: 'DatabaseRefused', code: 'unreadable' });
      expect(String(refusal)).toMatch(/Check store\.url/);
      expect(String(refusal)).not.toContain('hunter2');
    }
  });

  test('never holds a plaintext, nor its random part', async () => {
    const database = await freshDatabase();
    const store = await openTokens(database.url);
    for (const type of [USER, PROJECT, UPGRADING]) {
      const { plaintext, record } = await store.create(newToken(type));
      await store.find(plaintext, [type]);
      await store.revoke(record.id, 'operator', 'done');
      const rows = await database.query('select t::text as row from tokens t');
      expect(JSON.stringify(rows)).not.toContain(plaintext.slice(12));
    }
  });

  test('commits to the disk before it acknowledges, whatever its default is', async () => {
    const database = await freshDatabase();
    const name = new URL(database.url).pathname.slice(1);
    await database.query(`alter database ${name} set synchronous_commit = off`);
    await database.query(`alter database ${name} set default_transaction_isolation = serializable`);
    await database.query('create table seen (setting text)');
    await database.query(
      `create function note() returns trigger language plpgsql as
        $$ begin insert into seen values (current_setting('synchronous_commit') || ' ' || current_setting('transaction_isolation')); return new; end $$`,
    );
    const store = await openTokens(database.url);
    await database.query(
      'create trigger note after insert or update on tokens for each row execute function note()',
    );
    const { record } = await store.create(newToken(USER));
    await store.revoke(record.id, 'operator', null);
    expect(await database.query('select distinct setting from seen')).toEqual([
      { setting: 'on read committed' },
    ]);
  });

  test('a write that waits for a lock is a fault in time, and reads go on', async () => {
    const database = await freshDatabase();
    const store = await openTokens(database.url, { lockWaitMs: 200 });
    const { plaintext, record } = await store.create(newToken(USER));
    const lock = 'begin; lock table tokens in share mode; select pg_sleep(9); commit';
    const held = database.query(lock).catch(() => {});
    await expect
      .poll(
        () =>
          database.query(
            "select 1 from pg_locks where mode = 'ShareLock' and granted and relation = 'tokens'::regclass",
          ),
        {
          interval: 10,
        },
      )
      .not.toEqual([]);
    const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
    const revoking = store.revoke(record.id, 'operator', null);
    expect(await store.find(plaintext, [USER])).toStrictEqual(record);
    await expect(revoking).rejects.toEqual(fault);
    await database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'begin; lock%' and pid <> pg_backend_pid()",
    );
    await held;
    expect(await store.revoke(record.id, 'operator', null)).toMatchObject({ version: 2 });
  });

  test('uses of the same tokens, noted by several processes at once, all get in', async () => {
    const database = await freshDatabase();
    const alerts: unknown[] = [];
    const onAlert = (alert: unknown) => alerts.push(alert);
    const stores = await Promise.all([1, 2, 3].map(() => openTokens(database.url, { onAlert })));
    const [one] = stores as [(typeof stores)[0]];
    await one.import(Array.from({ length: 800 }, (_, n) => importedToken(USER, { sha256: sha256(`u${n}`) })));
    const { tokens } = await one.list({ limit: 1000 });
    for (const [n, store] of stores.entries()) {
      const ids = tokens.map(({ id }) => id);
      for (const id of n % 2 === 0 ? ids : ids.toReversed()) store.touch(id, 1000 + n);
    }
    await Promise.all(stores.map((store) => store.flush()));
    expect(alerts).toEqual([]);
    const [row] = await database.query('select count(*)::int as n from tokens where last_used_at = 1002');
    expect(row).toEqual({ n: 800 });
  });

  test('is asked by its indexes, even on plans that were made while it was empty', async () => {
    const database = await freshDatabase();
    const store = await openTokens(database.url);
    const types = [USER, PROJECT, PIPED];
    const asked =
      "select relname, seq_scan from pg_stat_user_tables where relname in ('tokens', 'pins', 'audit') order by 1";
    const askAll = async (): Promise<void> => {
      for (let n = 0; n < 8; n++) await store.find(`prj_abcdefgh|${n}`, types);
      for (let n = 0; n < 8; n++) await store.pins.read({ pin: 'app', subject: `project=${n}` });
      await store.byId('tok_none');
      await store.list({ limit: 10 });
      await store.list({ limit: 10, type: 'user' });
      await store.audit.list({ subject: 'none', after: null, limit: 10 });
    };
    await askAll();
    await store.import(
      Array.from({ length: 500 }, (_, n) => importedToken(USER, { sha256: sha256(`u${n}`) })),
    );
    const before = await database.query(asked);
    await askAll();
    // What a session has read is counted when it ends, at the latest.
    await store.close();
    const sessions =
      "select 1 from pg_stat_activity where datname = current_database() and application_name = 'postern'";
    await expect.poll(() => database.query(sessions), { timeout: 5_000 }).toEqual([]);
    expect(await database.query(asked)).toEqual(before);
  });

  test('a name with a NUL is nobody, and no fault', async () => {
    const store = await openTokens((await freshDatabase()).url);
    expect(await store.byId('tok_\0')).toBeNull();
    expect(await store.byIds(['tok_\0', 'tok_none'])).toEqual([]);
    expect((await store.list({ limit: 1, type: 'a\0' })).tokens).toEqual([]);
    expect(store.health()).toEqual({ ok: true, reason: null });
  });
});
