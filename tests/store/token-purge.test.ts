/** Purges on SQLite and on PostgreSQL. */
import { join } from 'node:path';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { emptiedDatabase } from './emptied-database.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { describeTokenPurge } from './token-purge.suite.ts';

describeTokenPurge('SQLite', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  return { open: (options) => openSqliteTokens({ path, ...options }), remove: async () => {} };
});

const createDatabase = emptiedDatabase();

describeTokenPurge('PostgreSQL', async () => {
  const database = await createDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
});
