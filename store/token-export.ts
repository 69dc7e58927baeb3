/** Tokens with what the store keeps of their secrets, page by page: for another store, never for a caller. */
import { sql } from 'kysely';
import { chunkSize } from './chunks.ts';
import { builder, type Change, type TokensTable } from './schema.ts';
import { hasAttributes, isOfType } from './token-attributes.ts';
import { mayHide, type PurgeRooms } from './token-purge.ts';
import type { TokenReads } from './token-reads.ts';
import { recordOf } from './token-rows.ts';
import type { ExportFilter, KeptToken } from './token-store.ts';

/** In order of id. @throws StoreFault */
export async function* keptTokens(
  reads: Pick<TokenReads, 'rows'>,
  filter: ExportFilter,
  manifold: PurgeRooms['manifold'],
): AsyncGenerator<readonly KeptToken[]> {
  let after = '';
  for (;;) {
    const rows = await reads.rows<TokensTable>(selectKept(filter, after));
    if (rows.length > 0) yield rows.map((row) => keptOf(row, manifold));
    const last = rows.at(-1);
    if (last === undefined || rows.length < chunkSize) return;
    after = last.id;
  }
}

function keptOf(row: TokensTable, manifold: PurgeRooms['manifold']): KeptToken {
  const { digest, bcrypt, lookup } = row;
  return { record: recordOf(row), digest, bcrypt, lookup, mayHide: mayHide(row, manifold) };
}

function selectKept({ type, attributes }: ExportFilter, after: string): Change {
  const page = builder
    .selectFrom('tokens')
    .selectAll()
    .where('id', '>', after)
    .where(hasAttributes(attributes, sql<boolean>`token_id > ${after}`))
    .orderBy('id')
    .limit(chunkSize);
  return type === null ? page : page.where(isOfType(type, attributes));
}
