/** The one thread that writes: applies missing migrations, then runs each batch in a transaction of its own. */
import type { KeyObject } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { beginChain, sealRows } from './audit-seal-sqlite.ts';
import type { Migration } from './migrations.ts';
import type { Statement } from './schema.ts';

export type WriterSetup = {
  readonly path: string;
  readonly ledger: string;
  readonly migrations: readonly Migration[];
  /** How long a start may wait for another process's migration. */
  readonly openBusyTimeoutMs: number;
  /** Seals audit rows; null: nothing does. */
  readonly auditKey: KeyObject | null;
};

/** `deadlineNs` is on the monotonic clock, which threads share: a batch still waiting then is not begun. */
export type WriterOrder =
  | {
      readonly id: number;
      readonly batch: readonly Statement[];
      readonly deadlineNs: bigint;
      /** Whether it is undone when it is done. */
      readonly dry: boolean;
    }
  | 'close';

export type StatementResult = {
  readonly changes: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
};

export type WriterReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'newer_schema'; readonly unknown: readonly string[] }
  | { readonly kind: 'failed_to_open'; readonly code: string; readonly message: string }
  | { readonly kind: 'done'; readonly id: number; readonly results: readonly StatementResult[] }
  | { readonly kind: 'failed'; readonly id: number; readonly code: string; readonly message: string };

const PREPARED_MAX = 200;
/** The result of a statement whose `ifChanged` did not hold. */
const LEFT_OUT: StatementResult = { changes: 0, rows: [] };

if (parentPort !== null) serve(parentPort, workerData);

function serve(port: NonNullable<typeof parentPort>, setup: WriterSetup): void {
  const report = (message: WriterReport) => port.postMessage(message);
  const connection = open(setup, report);
  if (connection === null) {
    port.close();
    return;
  }
  report({ kind: 'ready' });

  const run = batchRunner(connection);
  port.on('message', (order: WriterOrder) => {
    if (order === 'close') {
      connection.close();
      port.close();
      return;
    }
    try {
      report({ kind: 'done', id: order.id, results: run(order) });
    } catch (error) {
      report({ kind: 'failed', id: order.id, ...describe(error) });
    }
  });
}

/** The connection, durable and up to date; null: why not was reported. */
function open(setup: WriterSetup, report: (message: WriterReport) => void): Database.Database | null {
  try {
    const connection = new Database(setup.path, { fileMustExist: true, timeout: setup.openBusyTimeoutMs });
    const unknown = unknownTo(setup, connection);
    if (unknown.length > 0) {
      connection.close();
      report({ kind: 'newer_schema', unknown });
      return null;
    }
    connection.pragma('journal_mode = WAL');
    connection.pragma('synchronous = FULL');
    migrate(setup, connection);
    if (setup.auditKey !== null) {
      beginChain(connection, setup.auditKey);
      sealRows(connection, setup.auditKey);
    }
    return connection;
  } catch (error) {
    report({ kind: 'failed_to_open', ...describe(error) });
    return null;
  }
}

function unknownTo(setup: WriterSetup, connection: Database.Database): string[] {
  const known = new Set(setup.migrations.map((migration) => migration.name));
  return applied(setup, connection).filter((name) => !known.has(name));
}

function applied(setup: WriterSetup, connection: Database.Database): string[] {
  const ledger = connection.prepare("select 1 from sqlite_master where type = 'table' and name = ?");
  if (ledger.get(setup.ledger) === undefined) return [];
  return connection.prepare<[], string>(`select name from ${setup.ledger}`).pluck().all();
}

/** All that are lacking in one transaction, or none. Takes the write lock only if something is lacking. */
function migrate(setup: WriterSetup, connection: Database.Database): void {
  const lacking = () => {
    const names = new Set(applied(setup, connection));
    return setup.migrations.filter((migration) => !names.has(migration.name));
  };
  if (lacking().length === 0) return;
  connection
    .transaction(() => {
      connection.exec(
        `create table if not exists ${setup.ledger} (name text not null primary key, applied_at integer not null) strict`,
      );
      // Asked again under the lock: another process may have been faster.
      for (const migration of lacking()) {
        for (const statement of migration.statements) connection.prepare(statement.sql).run();
        connection.prepare(`insert into ${setup.ledger} values (?, ?)`).run(migration.name, Date.now());
      }
    })
    .immediate();
}

function batchRunner(connection: Database.Database) {
  const prepared = new Map<string, Database.Statement>();

  const prepare = (sql: string) => {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      if (prepared.size >= PREPARED_MAX) prepared.clear();
      statement = connection.prepare(sql);
      prepared.set(sql, statement);
    }
    return statement;
  };

  const runOne = ({ sql, parameters }: Statement): StatementResult => {
    const statement = prepare(sql);
    if (!statement.reader) return { changes: statement.run(...parameters).changes, rows: [] };
    const rows = statement.all(...parameters) as Record<string, unknown>[];
    return { changes: 0, rows };
  };

  const runAll = (batch: readonly Statement[]) => {
    let changed = false;
    return batch.map((statement) => {
      if (statement.ifChanged === true && !changed) return LEFT_OUT;
      const result = runOne(statement);
      changed ||= result.changes > 0;
      return result;
    });
  };
  const transaction = connection.transaction(runAll);
  const trial = connection.transaction((batch: readonly Statement[]) => {
    throw new Undone(runAll(batch));
  });

  /** The whole batch or none of it. @throws SQLITE_BUSY if no lock was had before the deadline. */
  return ({ batch, deadlineNs, dry }: Exclude<WriterOrder, 'close'>): readonly StatementResult[] => {
    const leftMs = Number((deadlineNs - process.hrtime.bigint()) / 1_000_000n);
    if (leftMs <= 0) throw new Database.SqliteError('waited too long for other writes', 'SQLITE_BUSY');
    connection.pragma(`busy_timeout = ${leftMs}`);
    if (!dry) return transaction.immediate(batch);
    try {
      return trial.immediate(batch);
    } catch (error) {
      if (error instanceof Undone) return error.results;
      throw error;
    }
  };
}

/** Rolls a transaction back, and brings out what it would have done. */
class Undone extends Error {
  readonly results: readonly StatementResult[];

  constructor(results: readonly StatementResult[]) {
    super('undone');
    this.results = results;
  }
}

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  return { code: 'code' in error ? String(error.code) : '', message: error.message };
}
