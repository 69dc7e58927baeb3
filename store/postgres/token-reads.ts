/** The questions asked of the tokens table, as PostgreSQL answers them: per request, from the primary, many in one. */
import { sql } from 'kysely';
import { builder, type Change, type Statement } from '../schema.ts';
import type { DigestRow } from '../token-digests.ts';
import { CANDIDATES_MAX, type Candidate, type TokenReads } from '../token-reads.ts';
import { RECORD_COLUMNS, type RecordRow } from '../token-rows.ts';
import { coalesce } from './coalesce.ts';
import { postgresStatement } from './compile.ts';
import { isText } from './database.ts';
import { createLine } from './line.ts';
import type { PostgresLink } from './link.ts';

/** One on its way and one being answered keep both ends busy; more would only make batches smaller. */
const IN_FLIGHT_MAX = 2;
const KEYS_MAX = 200;
/** Of six readers: lists may be long, and requests must find their tokens beside them. */
const LISTS = { inFlightMax: 2, waitingMax: 200, waitMs: 2_000 };
/** Stands between a type and a lookup or id in a key; none of them can hold it. */
const BETWEEN = '\0';

type CandidateRow = Candidate & { readonly lookup: string; readonly type: string };

const record = builder.selectFrom('tokens').select(RECORD_COLUMNS);
const anyOf = (column: 'digest' | 'id') => sql<boolean>`${sql.ref(column)} = any(${sql.val([])})`;

const BY_DIGEST = sqlOf(record.select('digest').where(anyOf('digest')));
const BY_ID = sqlOf(record.where(anyOf('id')));
const BY_EXTERNAL_ID = sqlOf(
  record
    .select('digest')
    .where(
      sql<boolean>`(type, external_id) in (select * from unnest(${sql.val([])}::text[], ${sql.val([])}::text[]))`,
    ),
);
const PAGE = sqlOf(record.where('id', '>', '').orderBy('id').limit(1));
const PAGE_OF_TYPE = sqlOf(record.where('id', '>', '').where('type', '=', '').orderBy('id').limit(1));
const CANDIDATES = sqlOf(sql`
  select asked.lookup, asked.type, found.id, found.bcrypt
  from unnest(${sql.val([])}::text[], ${sql.val([])}::text[]) as asked (lookup, type)
  cross join lateral (
    select id, bcrypt from tokens
    where tokens.lookup = asked.lookup and tokens.type = asked.type and digest is null and bcrypt is not null
    order by id limit ${sql.lit(CANDIDATES_MAX + 1)}
  ) as found`);

function sqlOf(query: Parameters<typeof postgresStatement>[0]): string {
  return postgresStatement(query).sql;
}

export function createTokenReads(link: PostgresLink): TokenReads {
  const rowsOf = <Row>(text: string, ...parameters: Statement['parameters']) =>
    link.read<Row>({ sql: text, parameters });
  const inLine = createLine(LISTS);
  const limits = { inFlightMax: IN_FLIGHT_MAX, keysMax: KEYS_MAX };

  const byDigest = coalesce<RecordRow>({
    ...limits,
    async ask(digests) {
      const rows = await rowsOf<RecordRow & { readonly digest: string }>(BY_DIGEST, digests);
      return new Map(rows.map((row) => [row.digest, row]));
    },
  });

  const byId = coalesce<RecordRow>({
    ...limits,
    async ask(ids) {
      const rows = await rowsOf<RecordRow>(BY_ID, ids);
      return new Map(rows.map((row) => [row.id, row]));
    },
  });

  const byExternalId = coalesce<DigestRow>({
    ...limits,
    async ask(keys) {
      const asked = keys.map((key) => key.split(BETWEEN));
      const types = asked.map(([type]) => type);
      const ids = asked.map(([, id]) => id);
      const rows = await rowsOf<DigestRow>(BY_EXTERNAL_ID, types, ids);
      return new Map(rows.map((row) => [row.type + BETWEEN + row.external_id, row]));
    },
  });

  const candidates = coalesce<Candidate[]>({
    ...limits,
    async ask(keys) {
      const asked = keys.map((key) => key.split(BETWEEN));
      const lookups = asked.map(([lookup]) => lookup);
      const types = asked.map(([, type]) => type);
      const found = new Map<string, Candidate[]>();
      for (const { lookup, type, id, bcrypt } of await rowsOf<CandidateRow>(CANDIDATES, lookups, types)) {
        const key = lookup + BETWEEN + type;
        const group = found.get(key);
        if (group === undefined) found.set(key, [{ id, bcrypt }]);
        else group.push({ id, bcrypt });
      }
      return found;
    },
  });

  return {
    byDigest,
    byId: async (id) => (isText(id) ? byId(id) : undefined),
    byExternalId: async (type, id) => (isText(id) ? byExternalId(type + BETWEEN + id) : undefined),
    candidates: async (lookup, type) =>
      isText(lookup) ? ((await candidates(lookup + BETWEEN + type)) ?? []) : [],
    rows: <Row>(query: Change) => inLine(() => link.read<Row>(postgresStatement(query))),
    page: async (after, type, limit) => {
      if (!isText(after) || !isText(type ?? '')) return [];
      return inLine(() =>
        type === null
          ? rowsOf<RecordRow>(PAGE, after, limit)
          : rowsOf<RecordRow>(PAGE_OF_TYPE, after, type, limit),
      );
    },
  };
}
