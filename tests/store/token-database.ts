/** A database for one test, with stores opened on it and closed after. */
import { onTestFinished } from 'vitest';
import type { Peppers } from '../../store/token-digests.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { NOW } from './token-types.ts';

/** A database of the test's own, empty at first; `open` gives another store on it, as another process would. */
export type TokenDatabase = {
  readonly open: (options: { now: () => number; peppers?: Peppers }) => Promise<OpenTokens>;
  readonly remove: () => Promise<void>;
};

export type CreateDatabase = () => Promise<TokenDatabase>;

/** One store on a fresh database; `open` gives another, as another process would. `clock.now` may be moved. */
export async function freshStore(createDatabase: CreateDatabase, peppers: Peppers = new Map()) {
  const database = await createDatabase();
  const opened: OpenTokens[] = [];
  const clock = { now: NOW };
  onTestFinished(async () => {
    for (const store of opened) await store.close();
    await database.remove();
  });
  const open = async (known = peppers) => {
    const store = await database.open({ now: () => clock.now, peppers: known });
    opened.push(store);
    return store;
  };
  return { store: await open(), open, clock };
}
