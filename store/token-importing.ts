/** Brings tokens in from elsewhere, chunk by chunk, for good or on trial. What is there already, or was purged, is passed over. */
import { sql } from 'kysely';
import type { AuditRows } from './audit-rows.ts';
import { chunksOf } from './chunks.ts';
import { type Change, rawChange, type TokensTable } from './schema.ts';
import { fillAttributes } from './token-attributes.ts';
import { auditImported } from './token-audit.ts';
import type { TokenDigests } from './token-digests.ts';
import { importRow } from './token-import.ts';
import { dropPurged } from './token-purge.ts';
import type { TokenStore } from './token-store.ts';
import { insertTokensIfNew } from './token-writes.ts';
import type { TokensDatabase } from './tokens-database.ts';

export type ImportRooms = {
  /** Unix ms. */
  readonly now: () => number;
  readonly nextId: () => string;
  readonly auditRow: AuditRows;
  readonly digests: TokenDigests;
};

type Import = TokenStore['import'];
type Write = TokensDatabase['write'];

export function createImport(rooms: ImportRooms, write: Write): Import {
  return importing(rooms, async (chunk) => {
    const { inserts, batch } = batchOf(chunk, rooms.auditRow);
    const results = await write(batch);
    let imported = 0;
    for (const { changes } of results.slice(0, inserts)) imported += changes;
    return imported - (results[inserts]?.changes ?? 0);
  });
}

/**
 * One import on trial, from its first rows to its last: what rows before would have brought counts as there.
 *
 * @param rehearse undoes what it does.
 */
export function createImportTrial(rooms: ImportRooms, rehearse: Write): Import {
  const taken = new Set<string>();
  return importing(rooms, async (chunk) => {
    const rest = chunk.filter((row) => !secretsOf(row).some((one) => taken.has(one)));
    if (rest.length === 0) return 0;
    const { batch } = batchOf(rest, rooms.auditRow);
    const results = await rehearse([...batch, selectIds(rest)]);
    const ids = new Set((results.at(-1)?.rows ?? []).map(({ id }) => id));
    for (const row of rest) {
      if (ids.has(row.id)) for (const one of secretsOf(row)) taken.add(one);
    }
    return ids.size;
  });
}

/** @param bring how many of a chunk are new. */
function importing(
  { now, nextId, digests }: ImportRooms,
  bring: (chunk: readonly TokensTable[]) => Promise<number>,
): Import {
  return async (rows) => {
    const made = rows.map((row) => importRow(row, nextId(), now(), digests));
    let imported = 0;
    for (const chunk of chunksOf(made)) imported += await bring(chunk);
    return { imported, skipped: rows.length - imported };
  };
}

/** The inserts come first, then what takes out again those that were purged. */
function batchOf(
  chunk: readonly TokensTable[],
  auditRow: AuditRows,
): { readonly inserts: number; readonly batch: readonly Change[] } {
  const inserts = insertTokensIfNew(chunk);
  const batch = [...inserts, dropPurged(chunk), auditImported(auditRow, chunk), ...fillAttributes(chunk)];
  return { inserts: inserts.length, batch };
}

/** What no two rows have alike. */
function secretsOf({ type, digest, bcrypt, external_id: externalId }: TokensTable): readonly string[] {
  return [
    ...(digest === null ? [] : [digest]),
    ...(bcrypt === null ? [] : [bcrypt]),
    ...(externalId === null ? [] : [`${type} ${externalId}`]),
  ];
}

function selectIds(rows: readonly TokensTable[]): Change {
  const given = JSON.stringify(Object.fromEntries(rows.map(({ id }) => [id, 0])));
  return rawChange(sql`select id from tokens where id in (select key from json_each(${given}))`);
}
