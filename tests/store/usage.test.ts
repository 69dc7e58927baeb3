/** Usage on SQLite and on PostgreSQL. */
import { join } from 'node:path';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { emptiedDatabase } from './emptied-database.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { describeUsageStore } from './usage.suite.ts';

describeUsageStore('SQLite', async () => {
  const path = join(temporaryFolder(), 'usage.db');
  return { open: ({ now }) => openSqliteTokens({ path, now }), remove: async () => {} };
});

const createDatabase = emptiedDatabase();

describeUsageStore('PostgreSQL', async () => {
  const database = await createDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
});
