/** Canaries on SQLite and on PostgreSQL: whatever is done to one, it stays one, and lends nothing to a token that lives. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkState } from '../../policy/checks/state.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { fuzz } from '../support/fuzz.ts';
import { emptiedDatabase } from './emptied-database.ts';
import { openPostgresTokens } from './postgres-tokens.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { auditOf, dayMs, learning, made, of, regeneration } from './token-life-kit.ts';
import { importedToken, NOW, newToken, PIPED, PROJECT, UPGRADING, USER } from './token-types.ts';

const sqlite: CreateDatabase = async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  return { open: (options) => openSqliteTokens({ path, ...options }), remove: async () => {} };
};

const createDatabase = emptiedDatabase();
const postgres: CreateDatabase = async () => {
  const database = await createDatabase();
  return { open: (options) => openPostgresTokens(database.url, options), remove: database.drop };
};

const types = [USER, PROJECT, UPGRADING, PIPED];

/** All that operators, rows and upstreams may do to tokens of its type and attributes. */
const attempts: Readonly<
  Record<string, (store: OpenTokens, id: string, plaintext: string) => Promise<unknown>>
> = {
  rotate: (store, id) => store.rotate(id, USER, dayMs, 'op'),
  'rotate at once': (store, id) => store.rotate(id, USER, 0, 'op'),
  regenerate: (store) => store.regenerate(regeneration('p')),
  'regenerate with grace': (store) => store.regenerate(regeneration('p', { graceMs: dayMs })),
  disable: (store, id) => store.disable(id, 'op'),
  enable: (store, id) => store.enable(id, 'op'),
  update: (store, id) => store.update(id, { label: 'renamed', expiresAt: null, attributes: of('p') }, 'op'),
  learn: (store, _id, plaintext) => store.learn(learning(USER, { plaintext })),
  'learn instead': (store) => store.learn(learning(USER, { insteadOf: of('p') })),
  'end all': (store) => store.endAll({ type: USER, attributes: of('p'), by: 'up', reason: 'gone' }),
};

for (const [name, create] of [
  ['SQLite', sqlite],
  ['PostgreSQL', postgres],
] as const) {
  describe(`canaries on ${name}`, () => {
    test.each(types)(
      'a canary of type $name is found as any other token, is marked, and in the audit',
      async (type) => {
        const { store, open } = await freshStore(create);
        const { record, plaintext } = await store.create(newToken(type, { canary: true }));
        expect(record.canary).toBe(true);
        const other = await open();
        expect(await other.find(plaintext, [type])).toEqual(record);
        expect((await other.list({ limit: 9 })).tokens).toEqual([record]);
        expect(other.verifiedBefore(plaintext)).toBe(false);
        expect(await auditOf(store, record.id)).toMatchObject([
          {
            action: 'token.create',
            actor: 'test',
            detail: { type: type.name, label: record.label, canary: true },
          },
        ]);
        expect('canary' in (await store.create(newToken(type))).record).toBe(false);
      },
    );

    test('whatever is done, a canary stays one and becomes no token that lives', async () => {
      const { store } = await freshStore(create);
      const steps = fc.array(fc.constantFrom(...Object.keys(attempts)), { minLength: 1, maxLength: 6 });
      const property = fc.asyncProperty(steps, async (names) => {
        const { record, plaintext } = await store.create({ ...made('p'), label: 'the canary', canary: true });
        for (const one of names) await attempts[one]?.(store, record.id, plaintext);
        const after = await store.find(plaintext, [USER]);
        expect(after).toMatchObject({ id: record.id, canary: true, rotatedTo: null, revokedAt: null });
        if (after !== null)
          expect(checkState({ token: after, type: USER, now: NOW })?.code).toBe('token_unknown');
        const { tokens } = await store.list({ type: USER.name, limit: 1000 });
        expect(tokens.filter(({ label, canary }) => label === 'the canary' && canary !== true)).toEqual([]);
        await store.revoke(record.id, 'op', null);
      });
      await fc.assert(property, fuzz(8));
    });

    test('an import brings canaries', async () => {
      const { store } = await freshStore(create);
      const sha256 = 'ab'.repeat(32);
      await store.import([importedToken(USER, { sha256 }, { canary: true })]);
      expect((await store.list({ limit: 9 })).tokens.map(({ canary }) => canary)).toEqual([true]);
    });
  });
}

test('a file from before canaries keeps its tokens, and none of them is one', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const before = await openSqliteTokens({ path, now: () => NOW });
  const { plaintext, record } = await before.create(newToken(USER));
  await before.close();
  const older = new Database(path);
  older.exec(
    "alter table tokens drop column canary; delete from postern_migrations where name = '0011-canary'",
  );
  older.close();
  const store = await openSqliteTokens({ path, now: () => NOW });
  onTestFinished(() => store.close());
  expect(store.find(plaintext, [USER])).toStrictEqual(record);
});

test('so does a PostgreSQL from before them', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const before = await openPostgresTokens(database.url);
  const { plaintext, record } = await before.create(newToken(USER));
  await before.close();
  await database.query('alter table tokens drop column canary');
  await database.query("delete from postern_migrations where name = '0011-canary'");
  const store = await openPostgresTokens(database.url);
  onTestFinished(() => store.close());
  expect(await store.find(plaintext, [USER])).toStrictEqual(record);
});
