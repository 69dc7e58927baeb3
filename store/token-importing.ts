/** Writes tokens brought from elsewhere, chunk by chunk. What is there already, or was purged, is passed over. */
import type { AuditRows } from './audit-rows.ts';
import { chunksOf } from './chunks.ts';
import type { TokensTable } from './schema.ts';
import { fillAttributes } from './token-attributes.ts';
import { auditImported } from './token-audit.ts';
import { dropPurged } from './token-purge.ts';
import { insertTokensIfNew } from './token-writes.ts';
import type { TokensDatabase } from './tokens-database.ts';

/** @returns how many are new. @throws StoreFault; chunks before it are in. */
export async function writeImported(
  rows: readonly TokensTable[],
  { auditRow, write }: { readonly auditRow: AuditRows; readonly write: TokensDatabase['write'] },
): Promise<number> {
  let imported = 0;
  for (const chunk of chunksOf(rows)) {
    const inserts = insertTokensIfNew(chunk);
    const batch = [...inserts, dropPurged(chunk), auditImported(auditRow, chunk), ...fillAttributes(chunk)];
    const results = await write(batch);
    for (const { changes } of results.slice(0, inserts.length)) imported += changes;
    imported -= results[inserts.length]?.changes ?? 0;
  }
  return imported;
}
