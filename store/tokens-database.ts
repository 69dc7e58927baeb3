/** What a database must do for a token store to stand on it. */
import type { AuditRows } from './audit-rows.ts';
import type { Companions } from './companions.ts';
import type { KnownTokens } from './known-tokens.ts';
import type { Change } from './schema.ts';
import type { TokenReads } from './token-reads.ts';
import type { StatementResult } from './writer-thread.ts';

export type Uses = readonly (readonly [id: string, atMs: number])[];

/** One database's part. */
export type TokensDatabase = Companions & {
  readonly reads: TokenReads;
  readonly auditRow: AuditRows;
  /** All of the batch in one transaction, or none; durable when it resolves. @throws StoreFault */
  readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  /** `write`, and no two of these at a time, whatever process they are from. */
  readonly writeAlone: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  /** Like `write` and what stands on it, but undone before anybody else sees it. */
  readonly dry: Pick<Companions, 'pins' | 'probes' | 'audit' | 'alerts'> & {
    readonly write: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  };
  /** Notes last uses forward only, where the database has a better way than one change a row. */
  readonly writeUses?: (uses: Uses) => Promise<void>;
  readonly health: () => { readonly ok: boolean; readonly reason: string | null };
  readonly close: () => Promise<void>;
  /** What may be served while the database cannot be reached; null: nothing. */
  readonly known: KnownTokens | null;
};
