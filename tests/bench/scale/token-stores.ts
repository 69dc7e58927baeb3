/** The stores that hold tables of many tokens: as many sizes as the disk has room for, filled on both cores at once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { createTestDatabase, type TestPostgres } from '../../fixtures/postgres.ts';
import { pinning } from '../machine.ts';
import { whole } from './curve.ts';
import { shortText } from './plot.ts';
import type { Stand } from './stand.ts';
import { bytesPerRow, fillPostgres, postgresBytes, sqliteBytes } from './token-tables.ts';

export type Kind = keyof typeof bytesPerRow;

export type TokenTable = {
  readonly kind: Kind;
  readonly rows: number;
  /** As a config says it. */
  readonly store: string;
  readonly env: Readonly<Record<string, string>>;
  readonly megabytes: number;
};

/** Nothing of its own in the background while it is measured; what is filled need not survive a crash. */
export const serverSettings = {
  shared_buffers: '2GB',
  maintenance_work_mem: '512MB',
  max_wal_size: '8GB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum: 'off',
};

/** Left free on the disk, whatever is measured. */
const spareBytes = 4e9;

/** A script to its end, on core 0. @throws Error with what it said, if it fails. */
export async function runAlone(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const whole = [process.execPath, ...args];
  const [command = '', ...rest] = pinning.on ? ['taskset', '-c', '0', ...whole] : whole;
  const child = spawn(command, rest, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [said, complaint] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${complaint.trim().slice(-300)}`);
  return said;
}

async function fillOneSqlite(stand: Stand, rows: number): Promise<TokenTable> {
  const path = join(stand.folder, `tokens-${rows}.db`);
  await runAlone([join(import.meta.dirname, 'token-tables.ts'), path, String(rows)], {});
  return { kind: 'sqlite', rows, store: `"sqlite:${path}"`, env: {}, megabytes: sqliteBytes(path) / 1e6 };
}

async function fillOnePostgres(server: TestPostgres, rows: number): Promise<TokenTable> {
  const { url } = await createTestDatabase(server);
  await fillPostgres(url, rows);
  const megabytes = (await postgresBytes(url)) / 1e6;
  return { kind: 'postgres', rows, store: '{ env: DATABASE_URL }', env: { DATABASE_URL: url }, megabytes };
}

/** The sizes that both kinds of table have room for; `notes` learns of the others. */
export function fitting(stand: Stand, counts: readonly number[], notes: string[]): readonly number[] {
  const { bavail, bsize } = statfsSync(stand.folder);
  let free = bavail * bsize - spareBytes;
  return counts.filter((rows) => {
    const bytes = rows * (bytesPerRow.sqlite + bytesPerRow.postgres);
    const fits = bytes <= free;
    if (fits) free -= bytes;
    else
      notes.push(
        `${whole(rows)} rows were skipped: they may take ${shortText(bytes)}B, and the disk has ${shortText(free)}B.`,
      );
    return fits;
  });
}

/** SQLite's on core 0, PostgreSQL's where the server is. @param server null: there is none. */
export async function fillTables(
  stand: Stand,
  counts: readonly number[],
  server: TestPostgres | null,
): Promise<readonly TokenTable[]> {
  const sqlite: TokenTable[] = [];
  const postgres: TokenTable[] = [];
  await Promise.all([
    (async () => {
      for (const rows of counts) sqlite.push(await fillOneSqlite(stand, rows));
    })(),
    (async () => {
      if (server !== null) for (const rows of counts) postgres.push(await fillOnePostgres(server, rows));
    })(),
  ]);
  return [...sqlite, ...postgres];
}
