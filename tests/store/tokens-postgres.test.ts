/** What tokens on PostgreSQL promise: all that is promised on SQLite, and what several processes add. */
import { createTestDatabase } from '../fixtures/postgres.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { describeTokenStore } from './tokens.suite.ts';

describeTokenStore('PostgreSQL', async () => {
  const database = await createTestDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
});
