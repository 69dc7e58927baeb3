/** The audit's chain on SQLite and on PostgreSQL, with databases from before there was one. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { type ChainDatabase, describeAuditChain, KEY, type Row } from './audit-chain.suite.ts';
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

async function onPostgres(): Promise<ChainDatabase> {
  const database = await createTestDatabase();
  return {
    open: (options) => openPostgresTokens(database.url, options),
    rows: async () =>
      (await database.query(ordered)).map(
        ({ at, seq, ...row }) => ({ ...row, at: Number(at), seq: seq === null ? null : Number(seq) }) as Row,
      ),
    replace: async (rows) => {
      await database.query('drop index if exists audit_seq');
      await database.query('delete from audit');
      if (rows.length === 0) return;
      const marks = rows.map((_, n) => `(${columns.map((_, at) => `$${n * columns.length + at + 1}`).join()})`);
      await database.query(
        `insert into audit (${columns.join()}) values ${marks.join()}`,
        rows.flatMap(valuesOf),
      );
    },
    remove: database.drop,
  };
}

describeAuditChain('SQLite', onSqlite);
describeAuditChain('PostgreSQL', onPostgres);
