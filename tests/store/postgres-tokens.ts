/** Token stores on a real PostgreSQL; loads no test library, so a child process may use it too. */
import { type OpenOptions, openPostgres } from '../../store/postgres/open.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import type { TokensOptions } from '../../store/tokens-options.ts';
import { createPostgresTokens } from '../../store/tokens-postgres.ts';

export type PostgresChoices = Partial<TokensOptions> &
  Omit<OpenOptions, 'url'> & { readonly serveKnownForMs?: number };

/** As the gateway opens it. */
export async function openPostgresTokens(url: string, choices: PostgresChoices = {}): Promise<OpenTokens> {
  const link = await openPostgres({ ...choices, url });
  return createPostgresTokens({ now: Date.now, serveKnownForMs: null, ...choices, link });
}
