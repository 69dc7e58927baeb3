/** Finds which bcrypt rows a token stands for, comparing in the verifier's threads; it remembers nothing. */
import { LRUCache } from 'lru-cache';
import type { TokenType } from '../policy/token-types.ts';
import { type BcryptVerifier, fitsBcrypt } from './bcrypt-verifier.ts';
import { allOf, andThen, type Eventually } from './eventually.ts';
import { StoreFault } from './fault.ts';
import { CANDIDATES_MAX, type Candidate, type TokenReads } from './token-reads.ts';

/** A row that a token fits, and whether its digest is to be written. */
export type BcryptMatch = { readonly id: string; readonly thenSha256: boolean };

export type BcryptLookupOptions = {
  readonly reads: TokenReads;
  readonly verifier: BcryptVerifier;
  /** Whether a row that had the token's digest was purged: then it stands for nothing, whatever it fits. */
  readonly wasPurged: (plaintext: string, type: string) => Eventually<boolean>;
  /** Called once per comparison, however many waited for it, where the token fits one row. */
  readonly onMatch: (match: BcryptMatch, plaintext: string) => void;
  readonly onOverfull: (type: string, ids: readonly string[]) => void;
};

export type BcryptQuestion = {
  readonly plaintext: string;
  /** The token's keyed digest. */
  readonly key: string;
  readonly types: readonly TokenType[];
};

type Suspect = Candidate & { readonly type: string; readonly thenSha256: boolean };

const OVERFULL_ALERT_MS = 60_000;
const NONE: readonly string[] = Object.freeze([]);

export class BcryptLookup {
  readonly #options: BcryptLookupOptions;
  readonly #comparing = new Map<string, Promise<readonly string[]>>();
  /** Types about which was warned lately: a flood must not become a flood of alerts. */
  readonly #warned = new LRUCache<string, true>({ max: 100, ttl: OVERFULL_ALERT_MS });

  constructor(options: BcryptLookupOptions) {
    this.#options = options;
  }

  /**
   * The ids of all rows without a digest that the token fits, in order; none at once where no row can fit.
   *
   * Callers with the same token and the same candidates share one comparison. The candidates are
   * part of what is shared: a row added while a comparison runs is not missed by those who ask after.
   *
   * @throws StoreFault `store_unavailable` if more than 8 rows would have to be tried; `verifier_busy`.
   */
  match(question: BcryptQuestion): Eventually<readonly string[]> {
    if (!fitsBcrypt(question.plaintext)) return NONE;
    return andThen(this.#suspects(question), (suspects) =>
      suspects.length === 0 ? NONE : this.#share(question, suspects),
    );
  }

  #share(question: BcryptQuestion, suspects: readonly Suspect[]): Promise<readonly string[]> {
    const name = [question.key, ...suspects.map((suspect) => suspect.id).sort()].join(' ');
    let comparison = this.#comparing.get(name);
    if (comparison === undefined) {
      comparison = this.#compare(question, suspects).finally(() => this.#comparing.delete(name));
      this.#comparing.set(name, comparison);
    }
    return comparison;
  }

  #suspects({ plaintext, types }: BcryptQuestion): Eventually<readonly Suspect[]> {
    const asked = types.flatMap(({ name, hash }) => {
      if (hash.use !== 'bcrypt') return [];
      const { thenSha256 } = hash;
      const rows = this.#options.reads.candidates(plaintext.slice(0, hash.lookupChars), name);
      return [andThen(rows, (found) => ({ type: name, thenSha256, rows: found }))];
    });
    return andThen(allOf(asked), (answers) => {
      const suspects: Suspect[] = [];
      for (const { type, thenSha256, rows } of answers) {
        for (const { id, bcrypt } of rows) suspects.push({ id, bcrypt, type, thenSha256 });
        if (suspects.length > CANDIDATES_MAX) throw this.#overfull(type, rows);
      }
      return suspects;
    });
  }

  /** Trying only some would make a good token unknown by chance; trying all would let one caller stop the rest. */
  #overfull(type: string, rows: readonly Candidate[]): StoreFault {
    if (!this.#warned.has(type)) {
      this.#warned.set(type, true);
      this.#options.onOverfull(
        type,
        rows.map((row) => row.id),
      );
    }
    return new StoreFault(
      'store_unavailable',
      `more than ${CANDIDATES_MAX} tokens of type ${type} share their first characters`,
    );
  }

  /** A digest is written only where one row fits: of several, each must be asked whether it ended. */
  async #compare({ plaintext }: BcryptQuestion, suspects: readonly Suspect[]): Promise<readonly string[]> {
    const hashes = suspects.map((suspect) => suspect.bcrypt);
    const fitting = await this.#options.verifier.match(plaintext, hashes);
    const found = fitting.flatMap((index) => suspects[index] ?? []);
    const [first] = found;
    if (first === undefined) return NONE;
    if (await this.#options.wasPurged(plaintext, first.type)) return NONE;
    if (found.length === 1) this.#options.onMatch(first, plaintext);
    return found.map(({ id }) => id).sort();
  }
}
