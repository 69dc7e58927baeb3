/** Tokens in one SQLite file: read on the event loop per request, written by the writer thread. */
import type { TokenRecord } from '../policy/token-types.ts';
import { createAlerts } from './alerts.ts';
import { createAuditRows } from './audit-rows.ts';
import { openSqliteAudit } from './audit-sqlite.ts';
import { createAuditTrail } from './audit-trail.ts';
import { type Connection, createIfMissing, inspectDatabase, openReader, openReadonly } from './database.ts';
import type { Eventually } from './eventually.ts';
import { StoreFault } from './fault.ts';
import { openSqlitePins, type SqlitePinStore } from './pins-sqlite.ts';
import { createProbes } from './probes.ts';
import { createRetirements } from './retirements.ts';
import { type SameFile, watchSameFile } from './same-file.ts';
import { type Change, type Statement, statementOf } from './schema.ts';
import { createSessions } from './sessions.ts';
import { createSightings } from './sightings.ts';
import { prepareReads } from './token-reads.ts';
import type { ListFilter, TokenPage } from './token-store.ts';
import { type OpenTokens, Tokens } from './tokens.ts';
import type { TokensDatabase } from './tokens-database.ts';
import type { TokensOptions } from './tokens-options.ts';
import { createUsage } from './usage.ts';
import { openWriter, type Writer } from './writer.ts';
import type { StatementResult } from './writer-thread.ts';

export type SqliteTokensOptions = TokensOptions & {
  /** The database file; made, with its folder, where it is missing. */
  readonly path: string;
  /** How long a write may wait for another process's; default 2,000. */
  readonly lockWaitMs?: number;
};

/** Reads are answered at once, without a promise. */
export interface SqliteTokenStore extends OpenTokens {
  /** In the same file, by the same writer. */
  readonly pins: SqlitePinStore;
  byId(id: string): TokenRecord | null;
  byIds(ids: readonly string[]): readonly TokenRecord[];
  list(filter: ListFilter): TokenPage;
}

const LOCK_WAIT_MS = 2_000;

/** @throws DatabaseRefused: missing (readonly), damaged, not ours, or written by a newer Postern. */
export async function openSqliteTokens(options: SqliteTokensOptions): Promise<SqliteTokenStore> {
  const { path } = options;
  if (options.readonly !== true) createIfMissing(path);
  inspectDatabase(path);
  if (options.readonly === true) return openOn(options, openReadonly(path), READ_ONLY_WRITER);

  const [key = null] = options.auditKeys?.() ?? [];
  const writer = await openWriter(path, options.lockWaitMs ?? LOCK_WAIT_MS, key);
  try {
    return openOn(options, openReader(path), writer);
  } catch (error) {
    await writer.close();
    throw error;
  }
}

const refuse = () => Promise.reject(new StoreFault('store_unavailable', 'the store was opened to read only'));

const READ_ONLY_WRITER: Writer = {
  write: refuse,
  rehearse: refuse,
  close: () => Promise.resolve(),
};

function openOn(options: SqliteTokensOptions, connection: Connection, writer: Writer): SqliteTokenStore {
  return new SqliteTokens(options, databaseOf(options, connection, writer, watchSameFile(options.path)));
}

type SqliteDatabase = TokensDatabase & { readonly pins: SqlitePinStore };

class SqliteTokens extends Tokens implements SqliteTokenStore {
  override readonly pins: SqlitePinStore;

  constructor(options: SqliteTokensOptions, database: SqliteDatabase) {
    super(options, database);
    this.pins = database.pins;
  }

  override byId(id: string): TokenRecord | null {
    return atOnce(super.byId(id));
  }

  override byIds(ids: readonly string[]): readonly TokenRecord[] {
    return atOnce(super.byIds(ids));
  }

  override list(filter: ListFilter): TokenPage {
    return atOnce(super.list(filter));
  }
}

function databaseOf(
  { now, auditKeys: keys = () => [] }: SqliteTokensOptions,
  connection: Connection,
  writer: Writer,
  file: SameFile,
): SqliteDatabase {
  const broken = () => file.reason;
  const reads = prepareReads(connection, broken);

  const refuseIfReplaced = (): void => {
    const reason = file.look();
    if (reason !== null) throw new StoreFault('store_unavailable', reason);
  };

  /** Looks at the file before and after: a change committed to a deleted file is lost, and must not be acknowledged. */
  const beside = async (run: Promise<readonly StatementResult[]>): Promise<readonly StatementResult[]> => {
    const results = await run;
    refuseIfReplaced();
    return results;
  };
  const write = async (batch: readonly Statement[]): Promise<readonly StatementResult[]> => {
    refuseIfReplaced();
    return beside(writer.write(batch));
  };
  const rehearse = (batch: readonly Statement[]) => beside(writer.rehearse(batch));

  const rowOf = createAuditRows(now);
  const link = { connection, broken, write, now, rowOf };
  const writeChanges = (batch: readonly Change[]) => write(batch.map(statementOf));
  // SQLite lets one write at a time.
  const rooms = { now, auditRow: rowOf, reads, write: writeChanges, writeAlone: writeChanges };
  const rehearseChanges = (batch: readonly Change[]) => rehearse(batch.map(statementOf));
  const audit = openSqliteAudit(link);
  return {
    dry: {
      write: rehearseChanges,
      pins: openSqlitePins({ ...link, write: rehearse }),
      probes: createProbes({ ...rooms, write: rehearseChanges, writeAlone: rehearseChanges }),
      audit: { ...audit, ...createAuditTrail({ ...rooms, keys, write: rehearseChanges }) },
      alerts: createAlerts({ ...rooms, write: rehearseChanges, writeAlone: rehearseChanges }),
    },
    ...rooms,
    known: null,
    pins: openSqlitePins(link),
    probes: createProbes(rooms),
    usage: createUsage(rooms),
    retirements: createRetirements(rooms),
    sessions: createSessions(rooms),
    alerts: createAlerts(rooms),
    sightings: createSightings(rooms),
    audit: { ...audit, ...createAuditTrail({ ...rooms, keys }) },

    health() {
      try {
        file.look();
        reads.byId('');
        return { ok: true, reason: null };
      } catch (error) {
        return { ok: false, reason: error instanceof Error ? error.message : String(error) };
      }
    },

    async close() {
      await writer.close();
      file.stop();
      connection.close();
    },
  };
}

function atOnce<T>(value: Eventually<T>): T {
  if (value instanceof Promise) throw new TypeError('SQLite answers at once');
  return value;
}
