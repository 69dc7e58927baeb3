/**
 * Secrets that a tool has made and its answer does not say. Each waits, in this process's memory alone, for the admin
 * token that asked for it, goes out once, and is gone after ten minutes whether it was fetched or not.
 */
import { randomBytes } from 'node:crypto';

export type SecretPlace = {
  readonly id: string;
  readonly put: (secret: string) => void;
  /** For a place that nothing was put in. */
  readonly free: () => void;
};

export type SecretShelf = {
  /** A place that only the admin token with this id can fetch from; null: too many wait already. */
  readonly reserve: (owner: string) => SecretPlace | null;
  /** null: there is none, it is another's, or it was fetched before. */
  readonly take: (owner: string, id: string) => string | null;
};

export const secretLifeMs = 10 * 60_000;
const waitingMax = 100;

type Waiting = { readonly owner: string; secret: string | null; readonly end: NodeJS.Timeout };

export function createSecretShelf(lifeMs = secretLifeMs, max = waitingMax): SecretShelf {
  const waiting = new Map<string, Waiting>();
  const drop = (id: string): void => {
    clearTimeout(waiting.get(id)?.end);
    waiting.delete(id);
  };
  return {
    reserve(owner) {
      if (waiting.size >= max) return null;
      const id = randomBytes(24).toString('base64url');
      const entry: Waiting = { owner, secret: null, end: setTimeout(() => drop(id), lifeMs).unref() };
      waiting.set(id, entry);
      return {
        id,
        put: (secret) => {
          entry.secret = secret;
        },
        free: () => drop(id),
      };
    },
    take(owner, id) {
      const found = waiting.get(id);
      if (found === undefined || found.owner !== owner || found.secret === null) return null;
      drop(id);
      return found.secret;
    },
  };
}
