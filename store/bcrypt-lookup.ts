/** Finds which bcrypt row a token stands for, comparing in the verifier's threads; it remembers nothing. */
import { LRUCache } from 'lru-cache';
import type { TokenType } from '../policy/token-types.ts';
import { type BcryptVerifier, fitsBcrypt } from './bcrypt-verifier.ts';
import { allOf, andThen, type Eventually } from './eventually.ts';
import { StoreFault } from './fault.ts';
import { CANDIDATES_MAX, type Candidate, type TokenReads } from './token-reads.ts';

/** The row a token fits, and whether its digest is to be written. */
export type BcryptMatch = { readonly id: string; readonly thenSha256: boolean };

export type BcryptLookupOptions = {
  readonly reads: TokenReads;
  readonly verifier: BcryptVerifier;
  /** Called once per comparison that found a row, however many waited for it. */
  readonly onMatch: (match: BcryptMatch, plaintext: string) => void;
  readonly onOverfull: (type: string, ids: readonly string[]) => void;
};

type Suspect = Candidate & { readonly thenSha256: boolean };

const OVERFULL_ALERT_MS = 60_000;

export class BcryptLookup {
  readonly #options: BcryptLookupOptions;
  readonly #comparing = new Map<string, Promise<BcryptMatch | null>>();
  /** Types about which was warned lately: a flood must not become a flood of alerts. */
  readonly #warned = new LRUCache<string, true>({ max: 100, ttl: OVERFULL_ALERT_MS });

  constructor(options: BcryptLookupOptions) {
    this.#options = options;
  }

  /**
   * The row the token fits; null at once where no row can fit.
   *
   * Callers with the same token and the same candidates share one comparison. The candidates are
   * part of what is shared: a row added while a comparison runs is not missed by those who ask after.
   *
   * @param key the token's keyed digest.
   * @throws StoreFault `store_unavailable` if more than 8 rows would have to be tried; `verifier_busy`.
   */
  match(plaintext: string, key: string, types: readonly TokenType[]): Eventually<BcryptMatch | null> {
    if (!fitsBcrypt(plaintext)) return null;
    return andThen(this.#suspects(plaintext, types), (suspects) =>
      suspects.length === 0 ? null : this.#share(plaintext, key, suspects),
    );
  }

  #share(plaintext: string, key: string, suspects: readonly Suspect[]): Promise<BcryptMatch | null> {
    const name = [key, ...suspects.map((suspect) => suspect.id).sort()].join(' ');
    let comparison = this.#comparing.get(name);
    if (comparison === undefined) {
      comparison = this.#compare(plaintext, suspects).finally(() => this.#comparing.delete(name));
      this.#comparing.set(name, comparison);
    }
    return comparison;
  }

  #suspects(plaintext: string, types: readonly TokenType[]): Eventually<readonly Suspect[]> {
    const asked = types.flatMap(({ name, hash }) => {
      if (hash.use !== 'bcrypt') return [];
      const { thenSha256 } = hash;
      const rows = this.#options.reads.candidates(plaintext.slice(0, hash.lookupChars), name);
      return [andThen(rows, (found) => ({ type: name, thenSha256, rows: found }))];
    });
    return andThen(allOf(asked), (answers) => {
      const suspects: Suspect[] = [];
      for (const { type, thenSha256, rows } of answers) {
        for (const { id, bcrypt } of rows) suspects.push({ id, bcrypt, thenSha256 });
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

  async #compare(plaintext: string, suspects: readonly Suspect[]): Promise<BcryptMatch | null> {
    const index = await this.#options.verifier.match(
      plaintext,
      suspects.map((suspect) => suspect.bcrypt),
    );
    const found = index === null ? undefined : suspects[index];
    if (found === undefined) return null;
    const match = { id: found.id, thenSha256: found.thenSha256 };
    this.#options.onMatch(match, plaintext);
    return match;
  }
}
