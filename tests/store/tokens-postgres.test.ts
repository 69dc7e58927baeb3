/** What tokens on PostgreSQL promise: all that is promised on SQLite, and what several processes add. */
import { emptiedDatabase } from './emptied-database.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { describeTokenStore } from './tokens.suite.ts';

const createDatabase = emptiedDatabase();

describeTokenStore('PostgreSQL', async () => {
  const database = await createDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
});
