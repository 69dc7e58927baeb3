/** Tokens in one SQLite file: read on the event loop per request, written by the writer thread. */
import { LRUCache } from 'lru-cache';
import type { TokenRecord, TokenType } from '../policy/types.ts';
import { openSqliteAudit } from './audit-sqlite.ts';
import type { AuditStore } from './audit-store.ts';
import { createAuditRows } from './audit-writes.ts';
import { BcryptLookup } from './bcrypt-lookup.ts';
import { BcryptVerifier, type VerifierOptions } from './bcrypt-verifier.ts';
import { type Connection, createIfMissing, inspectDatabase, openReader, openReadonly } from './database.ts';
import { StoreFault } from './fault.ts';
import { createTokenIds } from './id.ts';
import { createLastUsed, type LastUsed } from './last-used.ts';

import { openSqlitePins, type SqlitePinStore } from './pins-sqlite.ts';

import { createRedigest } from './redigest.ts';

import { type SameFile, watchSameFile } from './same-file.ts';
import type { Statement } from './schema.ts';
import { createKeyedDigest, digestOf, mintSecret, previewOf } from './secret.ts';
import type { SqliteLink } from './sqlite-link.ts';
import { auditCreated, auditImported, auditRevoked } from './token-audit.ts';
import { type Ask, type Form, isPlain, type Peppers, recognise, TokenDigests } from './token-digests.ts';
import { importRow, type SecretColumns } from './token-import.ts';
import { CANDIDATES_MAX, prepareReads, type TokenReads } from './token-reads.ts';
import { type RecordRow, recordOf, rowOf } from './token-rows.ts';
import type {
  CreatedToken,
  ImportedToken,
  ListFilter,
  NewToken,
  TokenPage,
  TokenStore,
} from './token-store.ts';
import {
  insertToken,
  insertTokenIfNew,
  markRevoked,
  markUsed,
  replaceDigest,
  selectRecord,
  writeDigest,
} from './token-writes.ts';
import { openWriter, type Writer } from './writer.ts';
import type { StatementResult } from './writer-thread.ts';

/** Something an operator should know; `detail` holds ids and type names, never a token. */
export type StoreAlert = {
  readonly code: 'lookup_overfull' | 'digest_not_written' | 'uses_not_written';
  readonly detail: string;
  readonly cause?: unknown;
};

export type SqliteTokensOptions = {
  /** The database file; made, with its folder, where it is missing. */
  readonly path: string;
  /** Only reads: the file must exist, and every write is a StoreFault. */
  readonly readonly?: boolean;
  /** Unix ms. */
  readonly now: () => number;
  readonly onAlert?: (alert: StoreAlert) => void;
  /** How often uses are written; default 5,000. */
  readonly flushEveryMs?: number;
  /** How long a write may wait for another process's; default 2,000. */
  readonly lockWaitMs?: number;
  readonly verifier?: VerifierOptions;
  /** Of every type whose hash rule names peppers: without them its tokens can be neither found nor made. */
  readonly peppers?: Peppers;
};

export interface SqliteTokenStore extends TokenStore {
  /** In the same file, by the same writer. */
  readonly pins: SqlitePinStore;
  readonly audit: AuditStore;
  byId(id: string): TokenRecord | null;
  byIds(ids: readonly string[]): readonly TokenRecord[];
  list(filter: ListFilter): TokenPage;
  /** Writes what `touch` noted, now. Never throws: what could not be written stays noted. */
  flush(): Promise<void>;
  /** Bcrypt jobs finished since the start, for metrics. */
  verifierCompleted(): number;
}

const FLUSH_EVERY_MS = 5_000;
const LOCK_WAIT_MS = 2_000;
const CHUNK = 500;
const VERIFIED_MAX = 100_000;
const MINT_TRIES = 32;

/** @throws DatabaseRefused: missing (readonly), damaged, not ours, or written by a newer Postern. */
export async function openSqliteTokens(options: SqliteTokensOptions): Promise<SqliteTokenStore> {
  const { path } = options;
  if (options.readonly !== true) createIfMissing(path);
  inspectDatabase(path);
  if (options.readonly === true) return new SqliteTokens(options, openReadonly(path), READ_ONLY_WRITER);

  const writer = await openWriter(path, options.lockWaitMs ?? LOCK_WAIT_MS);
  try {
    return new SqliteTokens(options, openReader(path), writer);
  } catch (error) {
    await writer.close();
    throw error;
  }
}

const READ_ONLY_WRITER: Writer = {
  write: () => Promise.reject(new StoreFault('store_unavailable', 'the store was opened to read only')),
  close: () => Promise.resolve(),
};

class SqliteTokens implements SqliteTokenStore {
  readonly pins: SqlitePinStore;
  readonly audit: AuditStore;
  readonly #now: () => number;
  readonly #alert: (alert: StoreAlert) => void;
  readonly #connection: Connection;
  readonly #writer: Writer;
  readonly #file: SameFile;
  readonly #reads: TokenReads;
  readonly #verifier: BcryptVerifier;
  readonly #lookup: BcryptLookup;
  readonly #lastUsed: LastUsed;
  readonly #nextId: () => string;
  readonly #auditRow: SqliteLink['rowOf'];
  readonly #digests: TokenDigests;
  readonly #redigest: (id: string, form: Form) => void;
  readonly #keyedDigest = createKeyedDigest();
  /** Keyed digest to id. Says which row a token stands for, never whether it may pass: the row is read each time. */
  readonly #verified = new LRUCache<string, string>({ max: VERIFIED_MAX });
  #closed: Promise<void> | null = null;

  constructor(options: SqliteTokensOptions, connection: Connection, writer: Writer) {
    this.#now = options.now;
    this.#alert = options.onAlert ?? (() => {});
    this.#connection = connection;
    this.#writer = writer;
    this.#nextId = createTokenIds(options.now);
    this.#auditRow = createAuditRows(options.now);
    this.#digests = new TokenDigests(options.peppers ?? new Map());
    this.#redigest = createRedigest({
      write: (id, { digest, newest }) => this.#write([replaceDigest(id, digest, newest)]),
      onFailure: (id, cause) => this.#alert({ code: 'digest_not_written', detail: id, cause }),
    });
    this.#file = watchSameFile(options.path);
    this.#reads = prepareReads(connection, () => this.#file.reason);
    const link: SqliteLink = {
      connection,
      broken: () => this.#file.reason,
      write: (batch) => this.#write(batch),
      now: options.now,
      rowOf: this.#auditRow,
    };
    this.pins = openSqlitePins(link);
    this.audit = openSqliteAudit(link);
    this.#verifier = new BcryptVerifier(options.verifier);
    this.#lookup = new BcryptLookup({
      reads: this.#reads,
      verifier: this.#verifier,
      onMatch: (match, plaintext) => {
        if (match.thenSha256) this.#sendDigest(match.id, plaintext);
      },
      onOverfull: (type, ids) =>
        this.#alert({ code: 'lookup_overfull', detail: `${type}: ${ids.join(' ')}` }),
    });
    this.#lastUsed = createLastUsed({
      everyMs: options.flushEveryMs ?? FLUSH_EVERY_MS,
      write: async (uses) => {
        for (const chunk of chunksOf(uses)) await this.#write(chunk.map(([id, atMs]) => markUsed(id, atMs)));
      },
      onFailure: (cause) =>
        this.#alert({ code: 'uses_not_written', detail: 'kept for the next flush', cause }),
    });
  }

  find(plaintext: string, types: readonly TokenType[]): TokenRecord | null | Promise<TokenRecord | null> {
    const key = this.#keyedDigest(plaintext);
    const mayBeBcrypt = types.some((type) => type.hash.use === 'bcrypt');
    if (mayBeBcrypt) {
      const id = this.#verified.get(key);
      const row = id === undefined ? undefined : this.#reads.byId(id);
      const record = row === undefined ? null : recordIfOf(types, row);
      if (record !== null) return record;
    }
    const row = types.every(isPlain)
      ? this.#rowOfDigest(plaintext, types)
      : this.#firstAnswer(this.#digests.asksFor(plaintext, types));
    if (row !== null) {
      this.#verified.set(key, row.id);
      return recordOf(row);
    }
    if (!mayBeBcrypt) return null;
    const comparison = this.#lookup.match(plaintext, key, types);
    return comparison === null ? null : this.#afterComparison(key, comparison);
  }

  /** What `#firstAnswer` would find where there is one question only: the way of nearly every request. */
  #rowOfDigest(plaintext: string, types: readonly TokenType[]): RecordRow | null {
    const row = this.#reads.byDigest(digestOf(plaintext));
    return row !== undefined && types.some(({ name }) => name === row.type) ? row : null;
  }

  /** A row found by another form of its digest gets the newest one, in the background. */
  #firstAnswer(asks: readonly Ask[], at = 0): RecordRow | null {
    const ask = asks[at];
    if (ask === undefined) return null;
    const row =
      ask.by === 'digest' ? this.#reads.byDigest(ask.digest) : this.#reads.byExternalId(ask.type, ask.id);
    const found = row === undefined ? null : recognise(ask, row);
    if (row === undefined || found === null) return this.#firstAnswer(asks, at + 1);
    if (found.stale !== null) this.#redigest(row.id, found.stale);
    return row;
  }

  /** Reads the row anew: while bcrypt ran, it may have been revoked. */
  async #afterComparison(
    key: string,
    comparison: ReturnType<BcryptLookup['match']>,
  ): Promise<TokenRecord | null> {
    const match = await comparison;
    if (match === null) return null;
    const row = this.#reads.byId(match.id);
    if (row === undefined) return null;
    this.#verified.set(key, row.id);
    return recordOf(row);
  }

  verifiedBefore(plaintext: string): boolean {
    return this.#verified.has(this.#keyedDigest(plaintext));
  }

  byId(id: string): TokenRecord | null {
    const row = this.#reads.byId(id);
    return row === undefined ? null : recordOf(row);
  }

  byIds(ids: readonly string[]): readonly TokenRecord[] {
    return ids.flatMap((id) => this.byId(id) ?? []);
  }

  list(filter: ListFilter): TokenPage {
    const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
    const rows = this.#reads.page(filter.after ?? '', filter.type ?? null, limit + 1);
    const tokens = rows.slice(0, limit).map(recordOf);
    return { tokens, next: rows.length > limit ? (tokens.at(-1)?.id ?? null) : null };
  }

  async create(token: NewToken): Promise<CreatedToken> {
    const { type } = token;
    const id = this.#nextId();
    const externalId = type.format === 'id_pipe_random' ? id.slice(id.indexOf('_') + 1) : null;
    const plaintext = this.#mint(type, externalId);
    const row = rowOf({
      ...token,
      id,
      type: type.name,
      preview: previewOf(type, plaintext),
      secret: await this.#secretOf(type, plaintext),
      externalId,
      createdAt: this.#now(),
    });
    await this.#write([insertToken(row), auditCreated(this.#auditRow, row)]);
    return { record: recordOf(row), plaintext };
  }

  /** Never adds the row too many to a set of rows that share their first characters. */
  #mint(type: TokenType, externalId: string | null): string {
    for (let tries = 0; tries < MINT_TRIES; tries++) {
      const plaintext = mintSecret(type, externalId ?? undefined);
      if (type.hash.use === 'sha256') return plaintext;
      const lookup = plaintext.slice(0, type.hash.lookupChars);
      if (this.#reads.candidates(lookup, type.name).length < CANDIDATES_MAX) return plaintext;
    }
    throw new StoreFault(
      'store_unavailable',
      `too many tokens of type ${type.name} share their first characters: raise its lookup_chars`,
    );
  }

  async #secretOf(type: TokenType, plaintext: string): Promise<SecretColumns> {
    const { hash } = type;
    if (hash.use === 'sha256') {
      return { digest: this.#digests.ofNew(type, plaintext), bcrypt: null, lookup: null };
    }
    const bcrypt = await this.#verifier.hash(plaintext, hash.cost);
    return { digest: null, bcrypt, lookup: plaintext.slice(0, hash.lookupChars) };
  }

  async revoke(id: string, by: string, reason: string | null): Promise<TokenRecord | null> {
    const results = await this.#write([
      markRevoked(id, this.#now(), by, reason),
      auditRevoked(this.#auditRow, id, by, reason),
      selectRecord(id),
    ]);
    const row = results[2]?.rows[0] as RecordRow | undefined;
    return row === undefined ? null : recordOf(row);
  }

  async import(rows: readonly ImportedToken[]): Promise<{ imported: number; skipped: number }> {
    const made = rows.map((row) => importRow(row, this.#nextId(), this.#now(), this.#digests));
    let imported = 0;
    for (const chunk of chunksOf(made)) {
      const results = await this.#write([
        ...chunk.map(insertTokenIfNew),
        auditImported(this.#auditRow, chunk),
      ]);
      for (const { changes } of results.slice(0, chunk.length)) imported += changes;
    }
    return { imported, skipped: rows.length - imported };
  }

  touch(id: string, atMs: number): void {
    this.#lastUsed.touch(id, atMs);
  }

  flush(): Promise<void> {
    return this.#lastUsed.flush();
  }

  health(): { readonly ok: boolean; readonly reason: string | null } {
    try {
      this.#file.look();
      this.#reads.byId('');
      return { ok: true, reason: null };
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }

  verifierDepth(): number {
    return this.#verifier.depth;
  }

  verifierCompleted(): number {
    return this.#verifier.completed;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#verifier.close();
    await this.#lastUsed.close();
    await this.#writer.close();
    this.#file.stop();
    this.#connection.close();
  }

  /**
   * Not waited for by the answer, and not needed for it: this process remembers the token anyway.
   * Closing finishes it: the writer takes what it was handed in order.
   */
  #sendDigest(id: string, plaintext: string): void {
    this.#write([writeDigest(id, digestOf(plaintext))]).catch((cause) =>
      this.#alert({ code: 'digest_not_written', detail: id, cause }),
    );
  }

  /** Looks at the file before and after: a change committed to a deleted file is lost, and must not be acknowledged. */
  async #write(batch: readonly Statement[]): Promise<readonly StatementResult[]> {
    this.#refuseIfReplaced();
    const results = await this.#writer.write(batch);
    this.#refuseIfReplaced();
    return results;
  }

  #refuseIfReplaced(): void {
    const reason = this.#file.look();
    if (reason !== null) throw new StoreFault('store_unavailable', reason);
  }
}

/** Large work must not hold the lock, nor be lost whole, so each chunk commits by itself. */
function chunksOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  const chunks: (readonly T[])[] = [];
  for (let start = 0; start < items.length; start += CHUNK) chunks.push(items.slice(start, start + CHUNK));
  return chunks;
}

function recordIfOf(types: readonly TokenType[], row: RecordRow): TokenRecord | null {
  return types.some((type) => type.name === row.type) ? recordOf(row) : null;
}
