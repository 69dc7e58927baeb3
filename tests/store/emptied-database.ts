/** One PostgreSQL database for all tests of a file, emptied after each: to make one costs more than most tests do in it. */
import { afterAll } from 'vitest';
import { LEDGER } from '../../store/migrations.ts';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';

/** Nobody is left who could still write, and nothing is left but the tables. */
const EMPTY = `do $$
  declare name text;
  begin
    perform pg_terminate_backend(pid, 5000) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid();
    for name in select tablename from pg_tables where schemaname = 'public' and tablename <> '${LEDGER}' loop
      execute format('delete from %I', name);
    end loop;
  end $$`;

/**
 * Gives each test a database that holds no rows: the same one, once it is let go. What is about tables being made
 * or changed needs one of its own. To be called where tests are described.
 */
export function emptiedDatabase(): () => Promise<TestDatabase> {
  let made: Promise<TestDatabase> | null = null;
  let isTaken = false;
  afterAll(async () => (await made)?.drop());
  return async () => {
    if (isTaken) return createTestDatabase();
    isTaken = true;
    made ??= createTestDatabase();
    const database = await made;
    return {
      ...database,
      drop: async () => {
        await database.query(EMPTY);
        isTaken = false;
      },
    };
  };
}
