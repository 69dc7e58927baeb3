/**
 * Connections to one PostgreSQL primary, and the breaker around its reads: while it is away no request waits
 * for it, and it is found again in the background. A connection that failed in any way is never used again.
 */
import pg from 'pg';
import { StoreFault, StoreUnreachable } from '../fault.ts';
import type { Statement } from '../schema.ts';
import type { StatementResult } from '../writer-thread.ts';
import { codeOf, isNoAnswer, messageOf } from './errors.ts';
import { typeParsers } from './types.ts';

export type LinkOptions = {
  /** postgres:// or postgresql://, with everything pg reads of it (sslmode, sslrootcert, options). */
  readonly url: string;
  /** How long a read may take; default 2,000 ms. */
  readonly readTimeoutMs?: number;
  /** How long a statement of a write may take, a standby's word included; default 5,000 ms. */
  readonly writeTimeoutMs?: number;
  /** How long a write may wait for another's lock; default 2,000 ms. */
  readonly lockWaitMs?: number;
  /** Called once per change, never per request. `reason` is null when reads are answered. */
  readonly onStateChange?: (ok: boolean, reason: string | null) => void;
};

/** Runs one statement of a transaction. */
export type Run = (statement: Statement) => Promise<StatementResult>;

export interface PostgresLink {
  /** The rows, as the primary has them after this was called. @throws StoreUnreachable, StoreFault */
  read<Row>(statement: Statement): Promise<readonly Row[]>;
  /** All of the batch in one transaction, or none; durable when it resolves. @throws StoreUnreachable, StoreFault */
  write(batch: readonly Statement[]): Promise<readonly StatementResult[]>;
  /** As `write`, where one statement's answer says what the next is to be. `work` may run again after a conflict. */
  transact<T>(work: (run: Run) => Promise<T>): Promise<T>;
  /** As `write`, but rolled back at its end: tells what would be. */
  rehearse(batch: readonly Statement[]): Promise<readonly StatementResult[]>;
  /** As `transact`, but rolled back at its end. */
  rehearseTransact<T>(work: (run: Run) => Promise<T>): Promise<T>;
  /** As of the last outcome: a request's, or the ping's of the last second. No I/O. */
  health(): { readonly ok: boolean; readonly reason: string | null };
  close(): Promise<void>;
}

/** Reads and writes apart: a write that waits for a lock or a standby must not keep a request from its row. */
const READERS = 6;
const WRITERS = 4;
const READ_TIMEOUT_MS = 2_000;
const WRITE_TIMEOUT_MS = 5_000;
/** The server gives up a little before we do, and says so instead of going silent. */
const SERVER_FIRST_MS = 250;
const CONNECT_TIMEOUT_MS = 2_000;
const LOCK_WAIT_MS = 2_000;
const IDLE_MS = 60_000;
const PING_MS = 1_000;
const PING_DOWN_MS = 250;
const CLOSE_MS = 1_000;
const TRIES = 3;
/** The result of a statement whose `ifChanged` did not hold. */
const LEFT_OUT: StatementResult = { changes: 0, rows: [] };
/** The SQLSTATE of a plain warning. PostgreSQL gives it where somebody cancelled a commit's wait for its standby. */
const NOT_REPLICATED = '01000';

/**
 * A standby may lag, so nothing is read there. A commit is on the disk, and on a synchronous standby where
 * there is one, before it is acknowledged, whatever the server's default says. Every question has its index: a
 * plan made while a table was empty must not go on reading all of it after an import.
 */
const GREETING = `select pg_is_in_recovery() or current_setting('transaction_read_only')::bool as read_only,
  set_config('synchronous_commit', case when current_setting('synchronous_commit') in ('off', 'local')
    then 'on' else current_setting('synchronous_commit') end, false),
  set_config('default_transaction_isolation', 'read committed', false),
  set_config('enable_seqscan', 'off', false)`;
const PING: Statement = { sql: 'select pg_is_in_recovery() as read_only', parameters: [] };

/** @throws Error if the connection string names a file that cannot be read. */
export function openLink(options: LinkOptions): PostgresLink {
  return new Link(options);
}

/** What every connection has, the one that migrates included. */
export function connectionConfig(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    fallback_application_name: 'postern',
    types: typeParsers,
  };
}

/** @throws Error of words for an operator, if this is a standby or read-only. */
export async function greet(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ read_only: boolean }>(GREETING);
  refuseReadOnly(rows);
}

function refuseReadOnly(rows: readonly { read_only: boolean }[]): void {
  if (rows[0]?.read_only !== false)
    throw new Error('it is a standby or read-only: Postern needs the primary');
}

class Link implements PostgresLink {
  readonly #options: LinkOptions;
  readonly #readers: pg.Pool;
  readonly #writers: pg.Pool;
  /** SQL to the name it is prepared under on every connection. Statements are few, by construction. */
  readonly #names = new Map<string, string>();
  /** Connections whose commit was called done without its standby's word. */
  readonly #doubted = new WeakSet<pg.ClientBase>();
  #reason: string | null = null;
  #closed = false;
  #ping: NodeJS.Timeout | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    const readMs = options.readTimeoutMs ?? READ_TIMEOUT_MS;
    const writeMs = options.writeTimeoutMs ?? WRITE_TIMEOUT_MS;
    this.#readers = openPool(options.url, READERS, {
      query_timeout: readMs,
      statement_timeout: Math.max(1, readMs - SERVER_FIRST_MS),
    });
    this.#writers = openPool(options.url, WRITERS, {
      query_timeout: writeMs,
      statement_timeout: Math.max(1, writeMs - SERVER_FIRST_MS),
      lock_timeout: options.lockWaitMs ?? LOCK_WAIT_MS,
      idle_in_transaction_session_timeout: writeMs,
    });
    this.#writers.on('connect', (client) => {
      client.on('notice', ({ code }) => {
        if (code === NOT_REPLICATED) this.#doubted.add(client);
      });
    });
    this.#pingLater(PING_MS);
  }

  async read<Row>(statement: Statement): Promise<readonly Row[]> {
    if (this.#closed) throw closedFault();
    if (this.#reason !== null) throw unreachable(this.#reason);
    try {
      return await this.#ask<Row>(statement);
    } catch (error) {
      if (!isNoAnswer(error))
        throw new StoreFault('store_unavailable', 'the token store could not be read', { cause: error });
      this.#settle(messageOf(error));
      throw unreachable(messageOf(error), error);
    }
  }

  /** A connection may have been cut while it lay idle: that alone says nothing about the server. */
  async #ask<Row>(statement: Statement): Promise<readonly Row[]> {
    for (let tries = 1; ; tries++) {
      const client = await connect(this.#readers);
      try {
        return await this.#askOn<Row>(client, statement);
      } catch (error) {
        if (tries === TRIES || !isCut(error)) throw error;
      }
    }
  }

  async #askOn<Row>(client: pg.PoolClient, statement: Statement): Promise<readonly Row[]> {
    try {
      const { rows } = await this.#run(client, statement);
      client.release();
      return rows as Row[];
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  #run(client: pg.PoolClient, { sql, parameters }: Statement): Promise<pg.QueryResult> {
    let name = this.#names.get(sql);
    if (name === undefined) {
      name = `postern_${this.#names.size}`;
      this.#names.set(sql, name);
    }
    return client.query({ name, text: sql, values: parameters as unknown[] });
  }

  async write(batch: readonly Statement[]): Promise<readonly StatementResult[]> {
    const [only] = batch;
    // A statement alone is a transaction by itself, in one round trip instead of three.
    if (batch.length === 1 && only !== undefined)
      return this.#persist(async (run) => [await run(only)], false);
    return this.transact((run) => runAll(batch, run));
  }

  transact<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return this.#persist(work, true);
  }

  rehearse(batch: readonly Statement[]): Promise<readonly StatementResult[]> {
    return this.rehearseTransact((run) => runAll(batch, run));
  }

  rehearseTransact<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return this.#persist(work, true, 'rollback');
  }

  async #persist<T>(
    work: (run: Run) => Promise<T>,
    begin: boolean,
    end: 'commit' | 'rollback' = 'commit',
  ): Promise<T> {
    if (this.#closed) throw closedFault();
    for (let tries = 1; ; tries++) {
      try {
        return await this.#try(work, begin, end);
      } catch (error) {
        if (tries < TRIES && isConflict(error)) continue;
        throw error instanceof StoreFault ? error : writeFault(error);
      }
    }
  }

  async #try<T>(work: (run: Run) => Promise<T>, begin: boolean, end: 'commit' | 'rollback'): Promise<T> {
    const client = await connect(this.#writers);
    let committing = !begin;
    try {
      if (begin) await client.query('begin');
      const result = await work(async (statement) => {
        const { command, rowCount, rows } = await this.#run(client, statement);
        return { changes: command === 'SELECT' ? 0 : (rowCount ?? 0), rows };
      });
      committing = end === 'commit';
      if (begin) await client.query(end);
      if (this.#doubted.has(client)) throw unknownOutcome(new Error('its standby was not waited for'));
      client.release();
      return result;
    } catch (error) {
      // Closing the connection rolls back whatever was not committed.
      client.release(true);
      if (committing && isNoAnswer(error) && !(error instanceof StoreUnreachable))
        throw unknownOutcome(error);
      throw error;
    }
  }

  health(): { readonly ok: boolean; readonly reason: string | null } {
    if (this.#closed) return { ok: false, reason: 'closed' };
    return { ok: this.#reason === null, reason: this.#reason };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#ping);
    const patience = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref());
    await Promise.race([Promise.all([this.#readers.end(), this.#writers.end()]), patience]);
  }

  #settle(reason: string | null): void {
    if (this.#closed) return;
    const changed = (this.#reason === null) !== (reason === null);
    this.#reason = reason;
    if (!changed) return;
    this.#options.onStateChange?.(reason === null, reason);
    if (reason !== null) this.#pingLater(PING_DOWN_MS);
  }

  #pingLater(afterMs: number): void {
    clearTimeout(this.#ping);
    this.#ping = setTimeout(() => void this.#pingNow(), afterMs).unref();
  }

  async #pingNow(): Promise<void> {
    try {
      refuseReadOnly(await this.#ask<{ read_only: boolean }>(PING));
      this.#settle(null);
    } catch (error) {
      this.#settle(messageOf(error));
    }
    if (!this.#closed) this.#pingLater(this.#reason === null ? PING_MS : PING_DOWN_MS);
  }
}

/** In order, without those whose `ifChanged` does not hold. */
export async function runAll(batch: readonly Statement[], run: Run): Promise<readonly StatementResult[]> {
  const results: StatementResult[] = [];
  for (const statement of batch) {
    const runs = statement.ifChanged !== true || results.some(({ changes }) => changes > 0);
    results.push(runs ? await run(statement) : LEFT_OUT);
  }
  return results;
}

function openPool(url: string, max: number, timeouts: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({
    ...connectionConfig(url),
    ...timeouts,
    max,
    min: 1,
    idleTimeoutMillis: IDLE_MS,
    allowExitOnIdle: true,
    onConnect: greet,
  });
  // An idle connection that ends is no event: the next use makes another.
  pool.on('error', () => {});
  // In use, its error also reaches the query that waits.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** @throws StoreUnreachable, whatever the reason: no connection is no answer. */
async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw unreachable(messageOf(error), error);
  }
}

/** Cut off, rather than silent or refused. */
function isCut(error: unknown): boolean {
  return (
    isNoAnswer(error) &&
    /terminat|ECONNRESET|EPIPE|connection error/i.test(`${codeOf(error)} ${messageOf(error)}`)
  );
}

/** Two transactions in each other's way: one was rolled back whole, and may simply try again. */
function isConflict(error: unknown): boolean {
  return codeOf(error) === '40P01' || codeOf(error) === '40001';
}

function unreachable(reason: string, cause?: unknown): StoreUnreachable {
  return cause instanceof StoreUnreachable
    ? cause
    : new StoreUnreachable(`PostgreSQL does not answer: ${reason}`, cause);
}

function unknownOutcome(cause: unknown): StoreUnreachable {
  return new StoreUnreachable(
    `PostgreSQL did not say whether it was written (${messageOf(cause)}): look, and do it again if it was not`,
    cause,
  );
}

function writeFault(cause: unknown): StoreFault {
  if (isNoAnswer(cause)) return unreachable(messageOf(cause), cause);
  return new StoreFault('store_unavailable', `not written: ${messageOf(cause)}`, { cause });
}

function closedFault(): StoreFault {
  return new StoreFault('store_unavailable', 'the store is closed');
}
