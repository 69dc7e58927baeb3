/** What `store:` says: a SQLite file or a PostgreSQL database, and what callers get while it is away. Opens nothing. */
import { resolve } from 'node:path';
import { type ConfigProblem, inValue } from '../../policy/config-problem.ts';

/** `path` is absolute. `serveKnownForMs`: how old a known token's record may be while the database is away; null: refuse. */
export type StoreSettings =
  | { readonly path: string }
  | { readonly url: string; readonly serveKnownForMs: number | null };

type WhenDown = 'refuse' | { readonly serve_known_for: number };

export type StoreReading = { readonly store: StoreSettings; readonly errors: readonly ConfigProblem[] };

const form = 'write sqlite:./data/postern.db, or postgres://HOST/DATABASE';

/**
 * @param url the value meant, wherever it was written.
 * @param inFile whether it stands in the config itself, where no secret may.
 */
export function readStore(url: string, inFile: boolean, whenDown: WhenDown, folder: string): StoreReading {
  const scheme = /^([a-z][a-z0-9+]*):/.exec(url)?.[1];
  if (scheme === 'sqlite') return readSqlite(url.slice(7), whenDown, folder);
  if (scheme === 'postgres' || scheme === 'postgresql') return readPostgres(url, inFile, whenDown);
  return broken(scheme === undefined ? 'not a store url' : `a store cannot be ${scheme}:`, form);
}

function readSqlite(path: string, whenDown: WhenDown, folder: string): StoreReading {
  if (path === '' || path.startsWith(':memory:') || /[?#]/.test(path)) {
    return broken('the store needs a plain file path', 'write sqlite:./data/postern.db');
  }
  const store = { path: resolve(folder, path.replace(/^\/\/(?=\/)/, '')) };
  if (whenDown === 'refuse') return { store, errors: [] };
  const message = 'a SQLite file is read at every request: there is nothing to serve in its place';
  const hint = 'write when_down: refuse, or keep tokens in PostgreSQL';
  return { store, errors: [inValue(['store', 'when_down'], message, hint)] };
}

function readPostgres(url: string, inFile: boolean, whenDown: WhenDown): StoreReading {
  const parsedUrl = URL.canParse(url) ? new URL(url) : null;
  if (parsedUrl === null || parsedUrl.pathname.length < 2) {
    return broken('the store url names no database', 'write postgres://HOST/DATABASE');
  }
  if (inFile && (parsedUrl.password !== '' || parsedUrl.searchParams.has('password'))) {
    return broken(
      'the url holds a password, and nothing secret stands in this file',
      'move the url to the environment and write url: { env: DATABASE_URL }, or { file: PATH }',
    );
  }
  const serveKnownForMs = whenDown === 'refuse' ? null : whenDown.serve_known_for;
  return { store: { url, serveKnownForMs }, errors: [] };
}

function broken(message: string, hint: string): StoreReading {
  return { store: { path: '' }, errors: [inValue(['store', 'url'], message, hint)] };
}

/** For people; never a user or a password. */
export function storeName(store: StoreSettings): string {
  if ('path' in store) return store.path;
  const { host, pathname } = new URL(store.url);
  return `PostgreSQL ${host}${pathname}`;
}
