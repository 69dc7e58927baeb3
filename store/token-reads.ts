/** The questions asked of the tokens table, and SQLite's answers to them: prepared once, given at once; it never writes. */
import { askWith } from './ask.ts';
import type { Connection } from './database.ts';
import type { Eventually } from './eventually.ts';
import { builder, type Change, statementOf } from './schema.ts';
import type { DigestRow } from './token-digests.ts';
import { RECORD_COLUMNS, type RecordRow } from './token-rows.ts';

/** A row that only bcrypt can tell: it has no digest yet. */
export type Candidate = { readonly id: string; readonly bcrypt: string };

/** Each is read from the database after it was asked. @throws StoreFault if it cannot be told. */
export interface TokenReads {
  byDigest(digest: string): Eventually<RecordRow | undefined>;
  byId(id: string): Eventually<RecordRow | undefined>;
  byExternalId(type: string, externalId: string): Eventually<DigestRow | undefined>;
  /** Oldest first, at most `CANDIDATES_MAX + 1`: one too many shows that there are too many. */
  candidates(lookup: string, type: string): Eventually<readonly Candidate[]>;
  /** What the query selects, in its order. */
  rows<Row>(query: Change): Eventually<readonly Row[]>;
  /** In order of id, after the given one; any type if null. */
  page(after: string, type: string | null, limit: number): Eventually<readonly RecordRow[]>;
}

/** How many rows may share their first characters: each costs a whole bcrypt per unknown token. */
export const CANDIDATES_MAX = 8;

const record = builder.selectFrom('tokens').select(RECORD_COLUMNS);

const BY_DIGEST = statementOf(record.where('digest', '=', '')).sql;
const BY_ID = statementOf(record.where('id', '=', '')).sql;
const BY_EXTERNAL_ID = statementOf(
  record.select('digest').where('type', '=', '').where('external_id', '=', ''),
).sql;
/**
 * Told which index: SQLite would rather read every row without a digest, by the one that is unique. In no order, and with a limit
 * that is written out: to sort, or to bind it, costs seven times the look-up, for each wrong token.
 */
export const CANDIDATES = `select "id", "bcrypt" from "tokens" indexed by "tokens_lookup"
  where "lookup" = ? and "type" = ? and "digest" is null and "bcrypt" is not null limit ${CANDIDATES_MAX + 1}`;
const PAGE = statementOf(record.where('id', '>', '').orderBy('id').limit(1)).sql;
const PAGE_OF_TYPE = statementOf(
  record.where('id', '>', '').where('type', '=', '').orderBy('id').limit(1),
).sql;

/**
 * Each answer is read from the file now. Only `get` and `all` are used: a statement left
 * open half-way would pin this connection to an old state, blind to later revokes.
 *
 * @param broken why the file must not be believed; null: it may.
 */
export function prepareReads(connection: Connection, broken: () => string | null) {
  const byDigest = connection.prepare<[string], RecordRow>(BY_DIGEST);
  const byId = connection.prepare<[string], RecordRow>(BY_ID);
  const byExternalId = connection.prepare<[string, string], DigestRow>(BY_EXTERNAL_ID);
  const candidates = connection.prepare<[string, string], Candidate>(CANDIDATES);
  const page = connection.prepare<[string, number], RecordRow>(PAGE);
  const pageOfType = connection.prepare<[string, string, number], RecordRow>(PAGE_OF_TYPE);

  const ask = askWith(broken);

  return {
    byDigest: (digest) => ask(() => byDigest.get(digest)),
    byId: (id) => ask(() => byId.get(id)),
    byExternalId: (type, externalId) => ask(() => byExternalId.get(type, externalId)),
    candidates: (lookup, type) => ask(() => candidates.all(lookup, type)),
    rows: <Row>(query: Change) => {
      const { sql, parameters } = statementOf(query);
      return ask(() => connection.prepare<unknown[], Row>(sql).all(...parameters));
    },
    page: (after, type, limit) =>
      ask(() => (type === null ? page.all(after, limit) : pageOfType.all(after, type, limit))),
  } satisfies TokenReads;
}
