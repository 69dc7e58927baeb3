/** What the stores in one SQLite file share: its reader, its writer, its clock, and whether it is still that file. */
import type { AuditRows } from './audit-rows.ts';
import type { Connection } from './database.ts';
import type { Statement } from './schema.ts';
import type { StatementResult } from './writer-thread.ts';

export type SqliteLink = {
  /** Reads only, on the event loop. */
  readonly connection: Connection;
  /** Why the file must not be believed; null: it may. */
  readonly broken: () => string | null;
  /** One transaction, durable when it resolves. @throws StoreFault */
  readonly write: (batch: readonly Statement[]) => Promise<readonly StatementResult[]>;
  /** Unix ms. */
  readonly now: () => number;
  readonly rowOf: AuditRows;
};
