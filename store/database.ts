/** Opens SQLite files with care: refuses what it cannot trust, and never puts a new database over a damaged one. */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { LEDGER, MIGRATIONS, unknownMigrations } from './migrations.ts';
import { DatabaseRefused } from './refused.ts';

export type Connection = Database.Database;

/** "Post": marks a file as ours (SQLite's `application_id`). */
const APPLICATION_ID = 0x506f7374;
/** Larger files are not read through at start: at about 500 MB/s this keeps a start under 200 ms. */
const CHECKED_BYTES_MAX = 64 * 1024 * 1024;
/** Opening may wait for another process that is just starting or stopping; requests never do. */
const OPEN_BUSY_TIMEOUT_MS = 5_000;

/**
 * The absolute path behind `sqlite:PATH` (or `sqlite:///PATH`, or a bare path), relative to `folder`.
 *
 * @throws DatabaseRefused `unreadable` for a database that is not a file.
 */
export function sqlitePath(url: string, folder: string): string {
  const path = url.startsWith('sqlite://')
    ? fileURLToPath(`file://${url.slice(9)}`)
    : url.replace(/^sqlite:/, '');
  if (path === '' || path.startsWith(':')) {
    throw new DatabaseRefused(
      'unreadable',
      `"${url}" is not a file: tokens must outlive the process, write sqlite:./data/postern.db`,
    );
  }
  return resolve(folder, path);
}

/** Makes the folder (0700) and an empty database (0600) where there is nothing yet; else does nothing. */
export function createIfMissing(path: string): void {
  if (existsSync(path)) return;
  if (existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0) {
    throw new DatabaseRefused(
      'corrupt',
      `${path} is gone but its ${path}-wal is still there, and may hold tokens. Put the database back beside it or restore a backup; to start with an empty store, move the -wal file away.`,
    );
  }
  try {
    const folder = dirname(path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    createWhole(path);
    syncFolder(folder);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/**
 * Made whole under another name first: a crash half-way, or two processes starting at once,
 * never leave an empty or half-written file where a database is looked for.
 */
function createWhole(path: string): void {
  const draft = `${path}.${randomUUID()}.new`;
  closeSync(openSync(draft, 'wx', 0o600));
  try {
    const connection = new Database(draft);
    connection.pragma(`application_id = ${APPLICATION_ID}`);
    connection.pragma('journal_mode = WAL');
    connection.close();
    placeOnce(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Gives the draft its name unless another process was first. */
function placeOnce(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    // Some file systems have no hard links.
    copyFileSync(draft, path, constants.COPYFILE_EXCL);
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Says no to a file that must not be worked on: missing, damaged, another program's, or
 * written by a newer Postern. Reads only, on a connection of its own.
 *
 * @throws DatabaseRefused
 */
export function inspectDatabase(path: string): void {
  let connection: Connection | undefined;
  try {
    const { size } = statSync(path);
    if (size === 0) throw corrupt(path, 'the file is empty');
    connection = new Database(path, { readonly: true, fileMustExist: true, timeout: OPEN_BUSY_TIMEOUT_MS });
    if (size <= CHECKED_BYTES_MAX) checkPages(path, connection);
    checkOwner(path, connection);
    checkSchema(path, connection);
  } catch (error) {
    throw error instanceof DatabaseRefused ? error : refusalFor(path, error);
  } finally {
    connection?.close();
  }
}

function checkPages(path: string, connection: Connection): void {
  const verdict = connection.pragma('quick_check(1)', { simple: true });
  if (verdict !== 'ok') throw corrupt(path, String(verdict));
}

function checkOwner(path: string, connection: Connection): void {
  if (connection.pragma('application_id', { simple: true }) === APPLICATION_ID) return;
  throw new DatabaseRefused(
    'unreadable',
    `${path} is a database of another program. Nothing was changed. Name another file in store.url.`,
  );
}

function checkSchema(path: string, connection: Connection): void {
  const unknown = unknownMigrations(appliedMigrations(connection), knownMigrations());
  if (unknown.length > 0) throw newerSchema(path, unknown);
}

function appliedMigrations(connection: Connection): string[] {
  const ledger = connection
    .prepare("select 1 from sqlite_master where type = 'table' and name = ?")
    .get(LEDGER);
  if (ledger === undefined) return [];
  return connection.prepare<[], string>(`select name from ${LEDGER} order by name`).pluck().all();
}

function knownMigrations(): readonly string[] {
  return MIGRATIONS.map((migration) => migration.name);
}

/**
 * A connection that only reads and never waits: against a lock it fails at once,
 * because a wait here would stop every request.
 *
 * @throws DatabaseRefused
 */
export function openReader(path: string): Connection {
  try {
    const connection = new Database(path, { fileMustExist: true, timeout: OPEN_BUSY_TIMEOUT_MS });
    connection.pragma('query_only = 1');
    connection.pragma('busy_timeout = 0');
    return connection;
  } catch (error) {
    throw refusalFor(path, error);
  }
}

/**
 * As `openReader`, for a caller who may not write the file at all.
 *
 * @throws DatabaseRefused `unreadable` if the schema still has to be brought up to date.
 */
export function openReadonly(path: string): Connection {
  let connection: Connection | undefined;
  try {
    connection = new Database(path, { readonly: true, fileMustExist: true, timeout: OPEN_BUSY_TIMEOUT_MS });
    refuseOlderSchema(path, connection);
    connection.pragma('busy_timeout = 0');
    return connection;
  } catch (error) {
    connection?.close();
    throw error instanceof DatabaseRefused ? error : refusalFor(path, error);
  }
}

function refuseOlderSchema(path: string, connection: Connection): void {
  const applied = appliedMigrations(connection);
  const lacking = knownMigrations().filter((name) => !applied.includes(name));
  if (lacking.length === 0) return;
  throw new DatabaseRefused(
    'unreadable',
    `${path} is of an older Postern (it lacks ${lacking.join(', ')}). Start the gateway, or run a command that writes, once: it brings the file up to date.`,
  );
}

/** Turns a driver's or file system's error into a refusal an operator can act on. */
export function refusalFor(path: string, error: unknown): DatabaseRefused {
  const code = codeOf(error);
  if (code === 'ENOENT') {
    return new DatabaseRefused(
      'missing',
      `${path} does not exist. Start the gateway or create a token first, or correct store.url.`,
      { cause: error },
    );
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB')
    return corrupt(path, messageOf(error), error);
  return unreadable(path, error);
}

export function newerSchema(path: string, unknown: readonly string[]): DatabaseRefused {
  return new DatabaseRefused(
    'newer_schema',
    `${path} was written by a newer Postern (${unknown.join(', ')} unknown to this one). Nothing was changed. Use that version or a newer one, or restore a backup made by this one.`,
  );
}

function corrupt(path: string, detail: string, cause?: unknown): DatabaseRefused {
  return new DatabaseRefused(
    'corrupt',
    `${path} is damaged: ${detail}. Nothing was changed. Restore a backup in its place; to start with an empty store, move it away.`,
    { cause },
  );
}

function unreadable(path: string, error: unknown): DatabaseRefused {
  return new DatabaseRefused(
    'unreadable',
    `${path} cannot be opened: ${messageOf(error)}. Check that its folder exists, belongs to this user and is on a local disk.`,
    { cause: error },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
