/** What a token store does on any database: mints, finds, revokes, imports. The database's own part is handed to it. */
import { LRUCache } from 'lru-cache';
import type { TokenRecord, TokenType } from '../policy/token-types.ts';
import { BcryptLookup } from './bcrypt-lookup.ts';
import { BcryptVerifier } from './bcrypt-verifier.ts';
import { chunksOf } from './chunks.ts';
import type { Companions } from './companions.ts';
import { allOf, andThen, type Eventually } from './eventually.ts';
import { createTokenIds } from './id.ts';
import { createLastUsed, type LastUsed } from './last-used.ts';
import { createSecretMaker } from './new-secret.ts';
import { createTokenMaker } from './new-token.ts';
import type { OnceStore } from './once.ts';
import { createRedigest } from './redigest.ts';
import { createKeyedDigest, digestOf } from './secret.ts';
import { selectPage } from './token-attributes.ts';
import { type Ask, type Form, isBcrypt, isPlain, recognise, TokenDigests } from './token-digests.ts';
import { keptTokens } from './token-export.ts';
import { createImport, createImportTrial } from './token-importing.ts';
import { createTokenLearning, type TokenLearning } from './token-learning.ts';
import { createOnce } from './token-once.ts';
import { createMarkCheck } from './token-purge.ts';
import type { TokenReads } from './token-reads.ts';
import { type RecordRow, recordIfOf, recordOf } from './token-rows.ts';
import type { ExportFilter, KeptToken, ListFilter, TokenPage, TokenStore } from './token-store.ts';
import { sternestOf } from './token-twins.ts';
import { markUsed, replaceDigest, writeDigest } from './token-writes.ts';
import { createTokenWrites, type TokenWrites } from './token-writing.ts';
import type { TokensDatabase, Uses } from './tokens-database.ts';
import type { DryStore, StoreAlert, TokensOptions } from './tokens-options.ts';

export interface OpenTokens extends TokenStore, Companions {
  readonly dry: DryStore;
  readonly once: OnceStore;
  /** Writes what `touch` noted, now. Never throws: what could not be written stays noted. */
  flush(): Promise<void>;
  /** Bcrypt jobs finished since the start, for metrics. */
  verifierCompleted(): number;
  /** How often bcrypt had nothing to do since the start, for its token had been compared before. */
  verifierSpared(): number;
}

const isPlainSha256 = (type: TokenType): boolean => isPlain(type) && !isBcrypt(type);
const endsUnused = ({ unused }: TokenType): boolean => unused !== undefined;

const FLUSH_EVERY_MS = 5_000;
const VERIFIED_MAX = 100_000;

export class Tokens implements OpenTokens {
  readonly pins: Companions['pins'];
  readonly probes: Companions['probes'];
  readonly audit: Companions['audit'];
  readonly usage: Companions['usage'];
  readonly retirements: Companions['retirements'];
  readonly sessions: Companions['sessions'];
  readonly alerts: Companions['alerts'];
  readonly sightings: Companions['sightings'];
  readonly create: TokenWrites['create'];
  readonly revoke: TokenWrites['revoke'];
  readonly rotate: TokenWrites['rotate'];
  readonly regenerate: TokenWrites['regenerate'];
  readonly update: TokenWrites['update'];
  readonly disable: TokenWrites['disable'];
  readonly enable: TokenWrites['enable'];
  readonly purge: TokenWrites['purge'];
  readonly import: TokenStore['import'];
  readonly dry: DryStore;
  readonly once: OnceStore;
  readonly learn: TokenLearning['learn'];
  readonly endAll: TokenLearning['endAll'];
  readonly #alert: (alert: StoreAlert) => void;
  readonly #database: TokensDatabase;
  readonly #reads: TokenReads;
  readonly #verifier: BcryptVerifier;
  readonly #lookup: BcryptLookup;
  readonly #lastUsed: LastUsed;
  readonly #nextId: () => string;
  readonly #digests: TokenDigests;
  readonly #make: ReturnType<typeof createTokenMaker>;
  readonly #redigest: (id: string, form: Form) => void;
  readonly #keyedDigest = createKeyedDigest();
  /**
   * What `#keyOf` makes of a token, to id, or to ids where several rows are the same token. Says which rows a token stands for,
   * never whether it may pass: they are read each time.
   */
  readonly #verified = new LRUCache<string, string | readonly string[]>({ max: VERIFIED_MAX });
  #spared = 0;
  #closed: Promise<void> | null = null;

  constructor(options: TokensOptions, database: TokensDatabase) {
    this.#alert = options.onAlert ?? (() => {});
    this.#database = database;
    this.#reads = database.reads;
    this.pins = database.pins;
    this.probes = database.probes;
    this.audit = database.audit;
    this.usage = database.usage;
    this.retirements = database.retirements;
    this.sessions = database.sessions;
    this.alerts = database.alerts;
    this.sightings = database.sightings;
    this.#nextId = createTokenIds(options.now);
    this.#digests = new TokenDigests(options.peppers ?? new Map());
    this.#redigest = createRedigest({
      write: (id, { digest, newest }) => database.write([replaceDigest(id, digest, newest)]),
      onFailure: (id, cause) => this.#alert({ code: 'digest_not_written', detail: id, cause }),
    });
    this.#verifier = new BcryptVerifier(options.verifier);
    const { reads, auditRow, write, writeAlone, dry } = database;
    this.#make = createTokenMaker({
      nextId: this.#nextId,
      newSecret: createSecretMaker({ reads, verifier: this.#verifier, digests: this.#digests }),
      now: options.now,
    });
    const { manifold } = this.#digests;
    const writing = { now: options.now, auditRow, reads, write, writeAlone, make: this.#make, manifold };
    ({
      create: this.create,
      revoke: this.revoke,
      rotate: this.rotate,
      regenerate: this.regenerate,
      update: this.update,
      disable: this.disable,
      enable: this.enable,
      purge: this.purge,
    } = createTokenWrites(writing));
    const { write: rehearse, pins, probes, audit, alerts } = dry;
    const tokens = createTokenWrites({ ...writing, write: rehearse, writeAlone: rehearse });
    const bringing = { now: options.now, nextId: this.#nextId, auditRow, digests: this.#digests };
    this.import = createImport(bringing, write);
    const startImport = () => createImportTrial(bringing, rehearse);
    this.dry = { tokens, startImport, pins, probes, audit, alerts };
    this.once = createOnce(writing, reads);
    const wasPurged = createMarkCheck(reads);
    ({ learn: this.learn, endAll: this.endAll } = createTokenLearning({
      ...bringing,
      find: (plaintext, types) => this.#find(plaintext, this.#keyOf(plaintext, types), types),
      wasPurged,
      write,
      writeAlone,
    }));
    this.#lookup = new BcryptLookup({
      reads: this.#reads,
      verifier: this.#verifier,
      wasPurged: (plaintext, type) => wasPurged({ digest: digestOf(plaintext), type }),
      onMatch: (match, plaintext) => {
        if (match.thenSha256) this.#sendDigest(match.id, plaintext);
      },
      onOverfull: (type, ids) =>
        this.#alert({ code: 'lookup_overfull', detail: `${type}: ${ids.join(' ')}` }),
    });
    this.#lastUsed = createLastUsed({
      everyMs: options.flushEveryMs ?? FLUSH_EVERY_MS,
      write: (uses) => this.#writeUses(uses),
      onFailure: (cause) =>
        this.#alert({ code: 'uses_not_written', detail: 'kept for the next flush', cause }),
    });
  }

  find(plaintext: string, types: readonly TokenType[]): Eventually<TokenRecord | null> {
    const key = this.#keyOf(plaintext, types);
    const { known } = this.#database;
    const found =
      known === null
        ? this.#find(plaintext, key, types)
        : known.through(key, types, () => this.#find(plaintext, key, types));
    if (!types.some(endsUnused)) return found;
    return andThen(found, (record) => record && this.#withNoted(record));
  }

  /**
   * What this process knows a token by. Where its digest stands in the table, that digest: it tells no more than the table does. Of a
   * bcrypt token, or one under a pepper, nothing that could be guessed more cheaply is kept.
   */
  #keyOf(plaintext: string, types: readonly TokenType[]): string {
    return types.every(isPlainSha256) ? digestOf(plaintext) : this.#keyedDigest(plaintext);
  }

  /** With a use that this process has noted and not written yet: what is in use here is never taken for unused. */
  #withNoted(record: TokenRecord): TokenRecord {
    const lastUsedAt = this.#lastUsed.latest(record.id);
    return lastUsedAt === null || lastUsedAt <= (record.lastUsedAt ?? 0) ? record : { ...record, lastUsedAt };
  }

  /** What its digest finds goes before whatever this process has compared: another process knows nothing of that. */
  #find(plaintext: string, key: string, types: readonly TokenType[]): Eventually<TokenRecord | null> {
    const hasBcrypt = types.some(isBcrypt);
    const row = types.every(isPlain)
      ? this.#rowOfDigest(hasBcrypt ? digestOf(plaintext) : key, types)
      : this.#firstAnswer(this.#digests.asksFor(plaintext, types));
    return andThen(row, (found) => {
      if (found !== null) return this.#remember(key, found.id, found);
      return hasBcrypt ? this.#findCompared(plaintext, key, types) : null;
    });
  }

  #findCompared(plaintext: string, key: string, types: readonly TokenType[]): Eventually<TokenRecord | null> {
    const known = this.#verified.get(key);
    if (known === undefined) return this.#compare(plaintext, key, types);
    this.#spared += 1;
    return andThen(
      typeof known === 'string' ? this.#reads.byId(known) : sternestOf(this.#reads, known),
      (row) => {
        const record = row === undefined ? null : recordIfOf(types, row);
        return record ?? this.#compare(plaintext, key, types);
      },
    );
  }

  #compare(plaintext: string, key: string, types: readonly TokenType[]): Eventually<TokenRecord | null> {
    return andThen(this.#lookup.match({ plaintext, key, types }), (ids) =>
      ids.length === 0 ? null : this.#afterComparison(key, ids),
    );
  }

  /** Of a canary nothing is remembered: it must not be told from a token that nobody knows. */
  #remember(key: string, known: string | readonly string[], row: RecordRow): TokenRecord {
    if (row.canary === 0) this.#verified.set(key, known);
    return recordOf(row);
  }

  /** What `#firstAnswer` would find where there is one question only: the way of nearly every request. */
  #rowOfDigest(digest: string, types: readonly TokenType[]): Eventually<RecordRow | null> {
    return andThen(this.#reads.byDigest(digest), (row) =>
      row !== undefined && types.some(({ name }) => name === row.type) ? row : null,
    );
  }

  /** A row found by another form of its digest gets the newest one, in the background. */
  #firstAnswer(asks: readonly Ask[], at = 0): Eventually<RecordRow | null> {
    const ask = asks[at];
    if (ask === undefined) return null;
    const answer: Eventually<RecordRow | undefined> =
      ask.by === 'digest' ? this.#reads.byDigest(ask.digest) : this.#reads.byExternalId(ask.type, ask.id);
    return andThen(answer, (row) => {
      const found = row === undefined ? null : recognise(ask, row);
      if (row === undefined || found === null) return this.#firstAnswer(asks, at + 1);
      if (found.stale !== null) this.#redigest(row.id, found.stale);
      return row;
    });
  }

  /** Reads the rows anew: while bcrypt ran, one may have been revoked. */
  #afterComparison(key: string, ids: readonly string[]): Eventually<TokenRecord | null> {
    const [only = ''] = ids;
    return andThen(sternestOf(this.#reads, ids), (row) =>
      row === undefined ? null : this.#remember(key, ids.length === 1 ? only : ids, row),
    );
  }

  verifiedBefore(plaintext: string): boolean {
    return this.#verified.has(digestOf(plaintext)) || this.#verified.has(this.#keyedDigest(plaintext));
  }

  byId(id: string): Eventually<TokenRecord | null> {
    return andThen(this.#reads.byId(id), (row) => (row === undefined ? null : recordOf(row)));
  }

  byIds(ids: readonly string[]): Eventually<readonly TokenRecord[]> {
    const { known } = this.#database;
    const read = () =>
      andThen(allOf(ids.map((id) => this.byId(id))), (records) => records.filter((one) => one !== null));
    const found = known === null ? read() : known.throughIds(ids, read);
    return andThen(found, (records) => records.map((record) => this.#withNoted(record)));
  }

  list(filter: ListFilter): Eventually<TokenPage> {
    const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
    const { after = '', type = null, limit: _asked, ...more } = filter;
    const found = Object.values(more).every((one) => one === undefined || one === false)
      ? this.#reads.page(after, type, limit + 1)
      : this.#reads.rows<RecordRow>(selectPage(filter, limit + 1));
    return andThen(found, (rows) => {
      const tokens = rows.slice(0, limit).map(recordOf);
      return { tokens, next: rows.length > limit ? (tokens.at(-1)?.id ?? null) : null };
    });
  }

  kept(filter: ExportFilter): AsyncIterable<readonly KeptToken[]> {
    return keptTokens(this.#reads, filter, this.#digests.manifold);
  }

  touch(id: string, atMs: number): void {
    this.#lastUsed.touch(id, atMs);
  }

  flush(): Promise<void> {
    return this.#lastUsed.flush();
  }

  health(): { readonly ok: boolean; readonly reason: string | null } {
    return this.#database.health();
  }

  verifierDepth(): number {
    return this.#verifier.depth;
  }

  verifierCompleted(): number {
    return this.#verifier.completed;
  }

  verifierSpared(): number {
    return this.#spared;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#verifier.close();
    await this.#lastUsed.close();
    await this.#database.close();
  }

  /**
   * Not waited for by the answer, and not needed for it: this process remembers the token anyway.
   * Closing finishes it: the database takes what it was handed in order.
   */
  #sendDigest(id: string, plaintext: string): void {
    this.#database
      .write([writeDigest(id, digestOf(plaintext))])
      .catch((cause) => this.#alert({ code: 'digest_not_written', detail: id, cause }));
  }

  async #writeUses(uses: Uses): Promise<void> {
    const { write, writeUses } = this.#database;
    for (const chunk of chunksOf(uses)) {
      if (writeUses === undefined) await write(chunk.map(([id, atMs]) => markUsed(id, atMs)));
      else await writeUses(chunk);
    }
  }
}
