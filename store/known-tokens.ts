/**
 * Records this process has read lately, for `when_down: serve_known_for`: given out only while the database
 * cannot be reached, and only so long after they were last read. Never an answer for a token not seen before.
 */
import { LRUCache } from 'lru-cache';
import type { TokenRecord, TokenType } from '../policy/token-types.ts';
import { andThen, type Eventually } from './eventually.ts';
import { StoreUnreachable } from './fault.ts';

export interface KnownTokens {
  /**
   * What `read` finds, remembered; where the database cannot be reached, what was last read of that row.
   *
   * @param key names the token, and is not the token.
   * @throws what `read` throws, where nothing may be served in its place.
   */
  through(
    key: string,
    types: readonly TokenType[],
    read: () => Eventually<TokenRecord | null>,
  ): Eventually<TokenRecord | null>;

  /** As `through`, by ids: all of them or none. One that `read` does not find is no longer known. */
  throughIds(
    ids: readonly string[],
    read: () => Eventually<readonly TokenRecord[]>,
  ): Eventually<readonly TokenRecord[]>;

  /** How long tokens may still be served without the database; 0: no longer. */
  leftMs(): number;
}

/** `record` is null where the row was gone. */
type Known = { readonly record: TokenRecord | null; readonly readAtMs: number };

const KNOWN_MAX = 20_000;

/** @param now a monotonic clock in ms. */
export function createKnownTokens(forMs: number, now: () => number = () => performance.now()): KnownTokens {
  /** One per row, however it was read: what one way saw revoked, the other does not serve. */
  const known = new LRUCache<string, Known>({ max: KNOWN_MAX });
  const idOf = new LRUCache<string, string>({ max: KNOWN_MAX });
  let lastReadMs = Number.NEGATIVE_INFINITY;

  const remember = (id: string, record: TokenRecord | null, readAtMs: number): void => {
    if ((known.peek(id)?.readAtMs ?? readAtMs) <= readAtMs) known.set(id, { record, readAtMs });
  };

  const recall = (id: string | undefined, error: unknown): TokenRecord => {
    const found = id === undefined || !(error instanceof StoreUnreachable) ? undefined : known.get(id);
    if (found === undefined || found.record === null || now() - found.readAtMs > forMs) throw error;
    return found.record;
  };

  return {
    through(key, types, read) {
      return attempt(read, now, {
        found(record, readAtMs) {
          lastReadMs = Math.max(lastReadMs, readAtMs);
          // A canary is known no more than a token that nobody has made: neither is served from here.
          if (record === null || record.canary === true) idOf.delete(key);
          else {
            idOf.set(key, record.id);
            remember(record.id, record, readAtMs);
          }
        },
        failed(error) {
          const record = recall(idOf.get(key), error);
          if (!types.some((type) => type.name === record.type)) throw error;
          return record;
        },
      });
    },

    throughIds(ids, read) {
      return attempt(read, now, {
        found(records, readAtMs) {
          lastReadMs = Math.max(lastReadMs, readAtMs);
          const byId = new Map(records.map((record) => [record.id, record]));
          for (const id of ids) remember(id, byId.get(id) ?? null, readAtMs);
        },
        failed: (error) => ids.map((id) => recall(id, error)),
      });
    },

    leftMs: () => Math.max(0, lastReadMs + forMs - now()),
  };
}

type Outcomes<T> = {
  readonly found: (value: T, readAtMs: number) => void;
  /** @throws where nothing may be served in its place. */
  readonly failed: (error: unknown) => T;
};

function attempt<T>(read: () => Eventually<T>, now: () => number, outcomes: Outcomes<T>): Eventually<T> {
  // A row may change from here on: its age counts from before it was read.
  const readAtMs = now();
  const keep = (value: T): T => {
    outcomes.found(value, readAtMs);
    return value;
  };
  try {
    const value = read();
    return value instanceof Promise ? value.then(keep, outcomes.failed) : andThen(value, keep);
  } catch (error) {
    return outcomes.failed(error);
  }
}
