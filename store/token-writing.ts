/** All that changes single tokens, over whatever writes: for good, on trial, or once under a key. */
import type { TokenRecord } from '../policy/token-types.ts';
import type { AuditRows } from './audit-rows.ts';
import type { MadeToken } from './new-token.ts';
import type { Change } from './schema.ts';
import { fillAttributes } from './token-attributes.ts';
import { auditCreated, auditRevoked } from './token-audit.ts';
import { createTokenChanges } from './token-changes.ts';
import { type PurgeRooms, purgeTokens } from './token-purge.ts';
import type { TokenReads } from './token-reads.ts';
import { type RecordRow, recordOf } from './token-rows.ts';
import type { CreatedToken, NewToken, TokenStore } from './token-store.ts';
import { insertToken, markRevoked, selectRecord } from './token-writes.ts';
import type { StatementResult } from './writer-thread.ts';

export type TokenWrites = Pick<
  TokenStore,
  'create' | 'revoke' | 'rotate' | 'regenerate' | 'update' | 'disable' | 'enable' | 'purge'
>;

type Write = (batch: readonly Change[]) => Promise<readonly StatementResult[]>;

export type WritingRooms = {
  /** Unix ms. */
  readonly now: () => number;
  readonly auditRow: AuditRows;
  readonly reads: Pick<TokenReads, 'rows'>;
  /** All of the batch in one transaction, or none. */
  readonly write: Write;
  /** `write`, and no two of these at a time, whatever process they are from. */
  readonly writeAlone: Write;
  /** Mints and digests; writes nothing. */
  readonly make: (token: NewToken) => Promise<MadeToken>;
  readonly manifold: PurgeRooms['manifold'];
};

export function createTokenWrites(rooms: WritingRooms): TokenWrites {
  const { now, auditRow, reads, writeAlone, make, manifold } = rooms;
  return {
    create: (token) => create(rooms, token),
    revoke: (id, by, reason) => revoke(rooms, id, by, reason),
    ...createTokenChanges({ now, auditRow, write: writeAlone, make }),
    purge: (purge) => purgeTokens({ auditRow, reads, write: writeAlone, manifold }, purge),
  };
}

async function create({ auditRow, write, make }: WritingRooms, token: NewToken): Promise<CreatedToken> {
  const { row, plaintext } = await make(token);
  await write([insertToken(row), auditCreated(auditRow, row), ...fillAttributes([row])]);
  return { record: recordOf(row), plaintext };
}

async function revoke(
  { now, auditRow, write }: WritingRooms,
  id: string,
  by: string,
  reason: string | null,
): Promise<TokenRecord | null> {
  const results = await write([
    markRevoked(id, now(), by, reason),
    auditRevoked(auditRow, id, by, reason),
    selectRecord(id),
  ]);
  const row = results[2]?.rows[0] as RecordRow | undefined;
  return row === undefined ? null : recordOf(row);
}
