/** The event loop's side of the writer thread: hands it batches and waits; it never touches the file itself. */
import type { KeyObject } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { newerSchema, refusalFor } from './database.ts';
import { StoreFault } from './fault.ts';
import { LEDGER, MIGRATIONS } from './migrations.ts';
import type { Statement } from './schema.ts';
import type { StatementResult, WriterOrder, WriterReport, WriterSetup } from './writer-thread.ts';

export interface Writer {
  /**
   * Runs the statements in one transaction: all of them or none. Durable when it resolves.
   *
   * @returns one result per statement, in order.
   * @throws StoreFault `store_unavailable`: locked for too long, disk full, damaged, closed. Only if
   *   the thread itself died is it unknown whether the batch was committed.
   */
  write(batch: readonly Statement[]): Promise<readonly StatementResult[]>;

  /** As `write`, but rolled back at its end: tells what would be. */
  rehearse(batch: readonly Statement[]): Promise<readonly StatementResult[]>;

  /** Finishes what was handed over, then closes the file. */
  close(): Promise<void>;
}

/** Batches waiting for the thread; beyond this the disk is not keeping up and callers are told at once. */
const WAITING_MAX = 1_024;
const OPEN_BUSY_TIMEOUT_MS = 5_000;

/**
 * Starts the thread and waits until the schema is up to date.
 *
 * @param lockWaitMs how long a batch may wait for other writers before it fails.
 * @param auditKey seals audit rows; null: nothing does.
 * @throws DatabaseRefused
 */
export async function openWriter(
  path: string,
  lockWaitMs: number,
  auditKey: KeyObject | null = null,
): Promise<Writer> {
  const setup: WriterSetup = {
    path,
    ledger: LEDGER,
    migrations: MIGRATIONS,
    openBusyTimeoutMs: OPEN_BUSY_TIMEOUT_MS,
    auditKey,
  };
  const worker = new Worker(new URL('./writer-thread.ts', import.meta.url), {
    workerData: setup,
    name: 'postern-writer',
  });
  const first = await firstReport(worker);
  if (first.kind === 'newer_schema') throw newerSchema(path, first.unknown);
  if (first.kind === 'failed_to_open') {
    throw refusalFor(path, Object.assign(new Error(first.message), { code: first.code }));
  }
  return new ThreadWriter(worker, lockWaitMs);
}

function firstReport(worker: Worker): Promise<WriterReport> {
  return new Promise((resolve, reject) => {
    worker.once('message', (report: WriterReport) => {
      worker.off('error', reject);
      resolve(report);
    });
    worker.once('error', reject);
  });
}

type Waiting = {
  readonly resolve: (results: readonly StatementResult[]) => void;
  readonly reject: (fault: StoreFault) => void;
};

class ThreadWriter implements Writer {
  readonly #worker: Worker;
  readonly #lockWaitMs: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #nextId = 0;
  #ended: StoreFault | null = null;

  constructor(worker: Worker, lockWaitMs: number) {
    this.#worker = worker;
    this.#lockWaitMs = lockWaitMs;
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (report: WriterReport) => this.#settle(report));
    worker.on('error', (cause) =>
      this.#end(new StoreFault('store_unavailable', 'the writer thread died', { cause })),
    );
    worker.on('exit', () => this.#end(new StoreFault('store_unavailable', 'the writer thread has ended')));
    // Only work in hand keeps the process alive.
    worker.unref();
  }

  write(batch: readonly Statement[]): Promise<readonly StatementResult[]> {
    return this.#run(batch, false);
  }

  rehearse(batch: readonly Statement[]): Promise<readonly StatementResult[]> {
    return this.#run(batch, true);
  }

  #run(batch: readonly Statement[], dry: boolean): Promise<readonly StatementResult[]> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(new StoreFault('store_unavailable', 'too many writes are waiting'));
    }
    const id = this.#nextId++;
    const deadlineNs = process.hrtime.bigint() + BigInt(this.#lockWaitMs) * 1_000_000n;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
      this.#order({ id, batch, deadlineNs, dry });
    });
  }

  async close(): Promise<void> {
    if (this.#ended === null) {
      this.#ended = new StoreFault('store_unavailable', 'the store is closed');
      this.#worker.ref();
      this.#order('close');
    }
    await this.#exited;
  }

  #order(order: WriterOrder): void {
    this.#worker.postMessage(order);
  }

  #settle(report: WriterReport): void {
    if (report.kind !== 'done' && report.kind !== 'failed') return;
    const waiting = this.#waiting.get(report.id);
    this.#waiting.delete(report.id);
    if (this.#waiting.size === 0 && this.#ended === null) this.#worker.unref();
    if (report.kind === 'done') {
      waiting?.resolve(report.results);
    } else {
      const cause = Object.assign(new Error(report.message), { code: report.code });
      waiting?.reject(new StoreFault('store_unavailable', `not written: ${report.message}`, { cause }));
    }
  }

  #end(fault: StoreFault): void {
    this.#ended ??= fault;
    for (const waiting of this.#waiting.values()) waiting.reject(fault);
    this.#waiting.clear();
  }
}
