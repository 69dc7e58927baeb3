/** Tables of many tokens, as the migrations make them and an import would leave them, filled by direct SQL. */
import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import pg from 'pg';
import { openPostgres } from '../../../store/postgres/open.ts';
import { openSqliteTokens } from '../../../store/tokens-sqlite.ts';

/** The columns that are the same for all. */
const alike = {
  type: 'service',
  label: 'one of many',
  preview: 'scale_0000...',
  scopes: '["items:read"]',
  origins: '[]',
  created_at: 1_767_225_600_000,
  created_by: 'bench',
  version: 1,
} as const;

/** What a row takes on the disk at most, its indexes and what is needed to sort them included. */
export const bytesPerRow = { sqlite: 1100, postgres: 1600 } as const;

/** The token of row `n`. */
export const tokenOf = (n: number): string =>
  `scale_${String(n).padStart(10, '0')}_${'words_enough'.repeat(2)}`;

const rowsPerTransaction = 250_000;

type Index = { readonly name: string; readonly sql: string };

/** Indexes are made at the end, from sorted rows: for 10 M rows that is a matter of minutes instead of hours. */
export async function fillSqlite(path: string, rows: number): Promise<void> {
  await (await openSqliteTokens({ path, now: Date.now })).close();
  const db = new Database(path);
  for (const set of [
    'journal_mode = off',
    'synchronous = off',
    'locking_mode = exclusive',
    'cache_size = -500000',
  ])
    db.pragma(set);
  const indexes = db
    .prepare<[], Index>(`select name, sql from sqlite_master where type = 'index' and sql is not null
      and tbl_name in ('tokens', 'token_attributes')`)
    .all();
  for (const { name } of indexes) db.exec(`drop index "${name}"`);
  const columns = Object.keys(alike);
  const insert = db.prepare(`insert into tokens (id, digest, attributes, ${columns.join(', ')})
    values (?, ?, ?, ${columns.map(() => '?').join(', ')})`);
  const insertAttribute = db.prepare(`insert into token_attributes values (?, 'tenant', ?)`);
  const rest = Object.values(alike);
  const fill = db.transaction((from: number, to: number) => {
    for (let n = from; n < to; n++) {
      const [id, tenant] = [`tok_${String(n).padStart(26, '0')}`, `tenant-${n}`];
      insert.run(id, hash('sha256', tokenOf(n), 'hex'), `{"tenant":"${tenant}"}`, ...rest);
      insertAttribute.run(id, tenant);
    }
  });
  for (let from = 0; from < rows; from += rowsPerTransaction)
    fill(from, Math.min(rows, from + rowsPerTransaction));
  for (const { sql } of indexes) db.exec(sql);
  db.pragma('journal_mode = wal');
  db.close();
}

const quoted = (value: string | number): string => (typeof value === 'number' ? String(value) : `'${value}'`);

/** @param url of an empty database of its own. */
export async function fillPostgres(url: string, rows: number): Promise<void> {
  await (await openPostgres({ url })).close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: indexes } =
      await client.query<Index>(`select indexname as name, indexdef as sql from pg_indexes
      where tablename in ('tokens', 'token_attributes') and indexname not in (select conname from pg_constraint)`);
    for (const { name } of indexes) await client.query(`drop index "${name}"`);
    const text = `'scale_' || lpad(n::text, 10, '0') || '_${'words_enough'.repeat(2)}'`;
    for (let from = 0; from < rows; from += rowsPerTransaction) {
      const numbers = `generate_series(${from}, ${Math.min(rows, from + rowsPerTransaction) - 1}) n`;
      await client.query(`insert into tokens (id, digest, attributes, ${Object.keys(alike).join(', ')})
        select 'tok_' || lpad(n::text, 26, '0'), encode(sha256((${text})::bytea), 'hex'),
          '{"tenant":"tenant-' || n || '"}', ${Object.values(alike).map(quoted).join(', ')} from ${numbers}`);
      await client.query(`insert into token_attributes
        select 'tok_' || lpad(n::text, 26, '0'), 'tenant', 'tenant-' || n from ${numbers}`);
    }
    for (const { sql } of indexes) await client.query(sql);
    await client.query('vacuum (analyze) tokens, token_attributes');
  } finally {
    await client.end();
  }
}

export async function postgresBytes(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ bytes: string }>(
      'select pg_database_size(current_database()) as bytes',
    );
    return Number(rows[0]?.bytes);
  } finally {
    await client.end();
  }
}

export const sqliteBytes = (path: string): number => statSync(path).size;

// By itself: PATH ROWS, so that a core of its own can fill it.
const [, script = '', path = '', rows = ''] = process.argv;
if (script === fileURLToPath(import.meta.url)) await fillSqlite(path, Number(rows));
