/** The audit's chain on SQLite and on PostgreSQL, with databases from before there was one. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { sealOf } from '../../store/audit-chain.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { fuzz } from '../support/fuzz.ts';
import { type ChainDatabase, describeAuditChain, KEY, type Row } from './audit-chain.suite.ts';
import { testEverybodysRows } from './audit-everybody.suite.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { NOW, newToken, USER } from './token-types.ts';

const columns = ['id', 'at', 'actor', 'action', 'subject', 'detail', 'seq', 'mac'] as const;
const valuesOf = (row: Row) => columns.map((column) => row[column]);
const ordered = 'select * from audit order by seq is null, seq, id';

async function onSqlite(): Promise<ChainDatabase> {
  const path = join(temporaryFolder(), 'tokens.db');
  const open: ChainDatabase['open'] = (options) => openSqliteTokens({ path, ...options });
  const withFile = <T>(work: (file: Database.Database) => T): T => {
    const file = new Database(path);
    try {
      return work(file);
    } finally {
      file.close();
    }
  };
  return {
    open,
    rows: async () => withFile((file) => file.prepare<[], Row>(ordered).all()),
    replace: async (rows) =>
      withFile((file) =>
        file.transaction(() => {
          file.exec('drop index if exists audit_seq; delete from audit');
          const add = file.prepare(
            `insert into audit (${columns.join()}) values (${columns.map(() => '?').join()})`,
          );
          for (const row of rows) add.run(...valuesOf(row));
        })(),
      ),
    remove: async () => {},
  };
}

async function onPostgres() {
  const database = await createTestDatabase();
  const client = new pg.Client(database.url);
  await client.connect();
  const rowOf = ({ at, seq, ...row }: Record<string, unknown>): Row =>
    ({ ...row, at: Number(at), seq: seq === null ? null : Number(seq) }) as Row;
  const chained: ChainDatabase = {
    open: (options) => openPostgresTokens(database.url, options),
    rows: async () => (await client.query(ordered)).rows.map(rowOf),
    replace: async (rows) => {
      await client.query('drop index if exists audit_seq; delete from audit');
      if (rows.length === 0) return;
      const marks = rows.map(
        (_, n) => `(${columns.map((_, at) => `$${n * columns.length + at + 1}`).join()})`,
      );
      await client.query(
        `insert into audit (${columns.join()}) values ${marks.join()}`,
        rows.flatMap(valuesOf),
      );
    },
    remove: async () => {
      await client.end();
      await database.drop();
    },
  };
  return { ...chained, client };
}

test('no two rows are sealed alike, however their fields are cut', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\\', '1', 'ü'), maxLength: 4 });
  const row = fc.record({
    id: text,
    at: fc.nat(2),
    actor: text,
    action: text,
    subject: text,
    detail: text,
  });
  const before = fc.record({ seq: fc.nat(2), mac: text });
  const seen = new Map<string, string>();
  fc.assert(
    fc.property(before, row, (link, one) => {
      const { mac } = sealOf(KEY, link, one);
      const what = JSON.stringify([link.seq, link.mac, ...Object.values(one)]);
      expect(seen.get(mac) ?? what).toBe(what);
      seen.set(mac, what);
      const { subject, detail } = one;
      const moved = { ...one, subject: subject + detail.slice(0, 1), detail: detail.slice(1) };
      if (detail !== '') expect(sealOf(KEY, link, moved).mac).not.toBe(mac);
    }),
    fuzz(500),
  );
});

describeAuditChain('SQLite', onSqlite);
testEverybodysRows('SQLite', onSqlite);
describeAuditChain('PostgreSQL', onPostgres);
testEverybodysRows('PostgreSQL', onPostgres);

const script = fileURLToPath(new URL('./audit-process.ts', import.meta.url));
const key = 'k'.repeat(40);

/** Several processes that are told to begin at once, and have added so many rows each when they are done. */
async function processes(place: string, how: number, rows: number): Promise<void> {
  const children = await Promise.all(
    Array.from({ length: how }, async () => {
      const child = fork(script, [place, key, String(rows)], { execArgv: [] });
      onTestFinished(() => void child.kill('SIGKILL'));
      await once(child, 'message');
      return child;
    }),
  );
  await Promise.all(
    children.map(async (child) => {
      child.send('go');
      await once(child, 'message');
      await once(child, 'exit');
    }),
  );
}

const begun = [
  ['token.create', 1],
  ['token.revoke', 2],
  ['audit.begin', 3],
  ['token.create', 4],
] as const;

/** What was there goes first, as it was found. */
async function expectBegun(open: ChainDatabase['open'], rows: ChainDatabase['rows']) {
  const store = await open({ now: () => NOW + 1, auditKeys: () => [KEY] });
  onTestFinished(() => store.close());
  await store.create(newToken(USER));
  expect((await rows()).map(({ action, seq }) => [action, seq])).toEqual(begun);
  expect(await store.audit.verify(null)).toMatchObject({ rows: 4, unsealed: 0, flaw: null });
}

test('two processes on one file make one chain', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  await processes(path, 2, 100);
  const store = await openSqliteTokens({ path, now: Date.now, auditKeys: () => [KEY] });
  onTestFinished(() => store.close());
  expect(await store.audit.verify(null)).toMatchObject({ rows: 200, unsealed: 0, flaw: null });
}, 20_000);

test('several processes on one PostgreSQL make one chain', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  await processes(database.url, 3, 40);
  const store = await openPostgresTokens(database.url, { auditKeys: () => [KEY] });
  onTestFinished(() => store.close());
  expect(await store.audit.verify(null)).toMatchObject({ rows: 120, unsealed: 0, flaw: null });
}, 20_000);

test('a trigger that somebody has put into the file cannot have anything sealed', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const store = await openSqliteTokens({ path, now: () => NOW, auditKeys: () => [KEY] });
  onTestFinished(() => store.close());
  await store.create(newToken(USER));
  const file = new Database(path);
  onTestFinished(() => void file.close());
  file.exec(`create table stolen (mac text);
    create trigger thief after insert on pins begin
      insert into stolen values (postern_audit_seal(1, '', 'aud_x', 1, 'nobody', 'token.revoke', 'tok_x', '{}'));
    end`);
  const pinning = store.pins.pinFirst({ pin: 'app', subject: 'project=p' }, 'a', 'test');
  await expect(pinning).rejects.toThrow(/unsafe use of postern_audit_seal/);
  expect(file.prepare('select * from stolen').all()).toEqual([]);
  expect(await store.audit.verify(null)).toMatchObject({ rows: 1, flaw: null });
});

const older = `drop index audit_seq; drop index audit_unsealed; drop index audit_purges;
  alter table audit drop column seq; alter table audit drop column mac; drop table purged_tokens;
  delete from postern_migrations where name = '0007-audit-chain'`;

test('a file from before there was a chain has one from then on, over what was there', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const before = await openSqliteTokens({ path, now: () => NOW });
  const { record } = await before.create(newToken(USER));
  await before.revoke(record.id, 'test', null);
  await before.close();
  const file = new Database(path);
  file.exec(older);
  const rows = async () => file.prepare<[], Row>(ordered).all();
  onTestFinished(() => void file.close());
  await expectBegun((options) => openSqliteTokens({ path, ...options }), rows);
});

test('so has a PostgreSQL schema from before, with the next change', async () => {
  const database = await onPostgres();
  onTestFinished(database.remove);
  const before = await database.open({ now: () => NOW });
  const { record } = await before.create(newToken(USER));
  await before.revoke(record.id, 'test', null);
  await before.close();
  await database.client.query(older);
  await expectBegun(database.open, database.rows);
});
