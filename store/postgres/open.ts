/** Opens a PostgreSQL database: waits for it at the start, refuses what it cannot trust, brings the schema up to date. */
import pg from 'pg';
import { DatabaseRefused } from '../refused.ts';
import { isNoAnswer, messageOf } from './errors.ts';
import { connectionConfig, greet, type LinkOptions, openLink, type PostgresLink } from './link.ts';
import { migrate, refuseOlderSchema } from './migrate.ts';

export type OpenOptions = LinkOptions & {
  /** Changes nothing: the schema must be up to date. */
  readonly readonly?: boolean;
  /** How long a server that does not answer yet is waited for; default 0. */
  readonly startWaitMs?: number;
};

const RETRY_MS = 100;
/** A migration of a large table may take its time; a server that hangs may not. */
const MIGRATION_MS = 60_000;

/** @throws DatabaseRefused: not to be reached, a standby, not ours, or written by a newer Postern. */
export async function openPostgres(options: OpenOptions): Promise<PostgresLink> {
  const name = nameOf(options.url);
  const untilMs = performance.now() + (options.startWaitMs ?? 0);
  for (;;) {
    try {
      await prepare(options, name);
      return openLink(options);
    } catch (error) {
      if (error instanceof DatabaseRefused) throw error;
      if (!isNoAnswer(error) || performance.now() > untilMs) throw unreadable(name, error);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function prepare({ url, readonly }: OpenOptions, name: string): Promise<void> {
  const client = new pg.Client({ ...connectionConfig(url), query_timeout: MIGRATION_MS });
  // It also reaches the query that waits.
  client.on('error', () => {});
  try {
    await client.connect();
    await greet(client);
    await (readonly === true ? refuseOlderSchema : migrate)(client, name);
  } finally {
    void client.end();
  }
}

/** Host, port and database, for people; never user or password. */
function nameOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `PostgreSQL ${hostname === '' ? 'localhost' : hostname}:${port === '' ? '5432' : port}${pathname}`;
}

function unreadable(name: string, error: unknown): DatabaseRefused {
  return new DatabaseRefused(
    'unreadable',
    `${name} cannot be used: ${messageOf(error)}. Check store.url, that the server runs, and that this user may use the database.`,
    { cause: error },
  );
}
