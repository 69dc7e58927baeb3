/** What every TokenStore must do when upstreams make and end tokens, whatever database is under it. */
import { describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../policy/token-types.ts';
import type { Learned } from '../../store/token-store.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { alive, auditOf, dayMs, learning, made, OTHER, of, reason } from './token-life-kit.ts';
import { BARE, MOVING, NOW, PEPPERED, PIPED, PROJECT, UPGRADING, USER } from './token-types.ts';

const learnedId = (learned: Learned) => (learned.kind === 'learned' ? learned.record.id : null);

/** Everything a store has kept, as text: for grepping secrets. */
async function keptBy(store: OpenTokens): Promise<string> {
  const { tokens } = await store.list({ limit: 1000 });
  const { entries } = await store.audit.list({ subject: null, after: null, limit: 1000 });
  return JSON.stringify([tokens.map((token) => ({ ...token, attributes: [...token.attributes] })), entries]);
}

const both = (project: string, client: string): ReadonlyMap<string, AttributeValue> =>
  new Map([
    ['project', project],
    ['client', client],
  ]);

export function describeTokenLearning(name: string, createDatabase: CreateDatabase): void {
  const peppers = new Map([
    [PEPPERED.name, ['p'.repeat(40)]],
    [MOVING.name, ['m'.repeat(40), null]],
  ]);
  const fresh = () => freshStore(createDatabase, peppers);

  describe(`a token store on ${name}: learning`, () => {
    test.each([USER, PIPED, BARE, PEPPERED, MOVING, UPGRADING])(
      'a $name token is found in every process from then on, and kept nowhere as it is',
      async (type) => {
        const { store, open } = await fresh();
        const token = learning(type, { expiresAt: NOW + dayMs, label: 'login' });
        const learned = await store.learn(token);
        if (learned.kind !== 'learned') throw new Error(learned.kind);
        expect(learned).toMatchObject({
          replaced: 0,
          record: {
            type: type.name,
            label: 'login',
            scopes: ['events:write'],
            attributes: of('p'),
            expiresAt: NOW + dayMs,
            createdAt: NOW,
            createdBy: 'upstream',
            externalId: type === PIPED ? token.plaintext.split('|')[0] : null,
          },
        });
        const other = await open();
        expect(await other.find(token.plaintext, [type])).toEqual(learned.record);
        expect((await other.list({ attributes: of('p'), limit: 9 })).tokens).toEqual([learned.record]);
        expect(await auditOf(store, learned.record.id)).toEqual([
          {
            action: 'token.learn',
            actor: 'upstream',
            detail: { type: type.name, label: 'login', reason },
          },
        ]);
        expect(await keptBy(store)).not.toContain(token.plaintext.slice(type.prefix.length + 8));
      },
    );

    test.each([USER, PIPED, MOVING, UPGRADING])(
      'a $name token that is here changes nothing, and one that was revoked stays so',
      async (type) => {
        const { store } = await fresh();
        const token = learning(type);
        const id = learnedId(await store.learn(token)) ?? '';
        const again = { ...token, label: 'another', attributes: of('q'), createdBy: 'somebody' };
        const before = await store.byId(id);
        expect(await store.learn(again)).toEqual({ kind: 'known', record: before });
        await store.revoke(id, 'op', 'gone');
        const revoked = await store.byId(id);
        const insteadOf = of('q');
        expect(await store.learn({ ...again, insteadOf })).toEqual({ kind: 'known', record: revoked });
        expect(await store.find(token.plaintext, [type])).toEqual(revoked);
        expect((await store.list({ limit: 9 })).tokens).toHaveLength(1);
        expect(await auditOf(store, id)).toHaveLength(2);
      },
    );

    test('a token that was imported is known by its digest, and one kept as bcrypt by its hash', async () => {
      const { store } = await fresh();
      const issued = await Promise.all([USER, UPGRADING].map((type) => store.create(made('p', type))));
      for (const [index, type] of [USER, UPGRADING].entries()) {
        const { record, plaintext } = issued[index] ?? expect.fail();
        await store.revoke(record.id, 'op', null);
        const learned = await store.learn(learning(type, { plaintext }));
        expect(learned).toMatchObject({ kind: 'known', record: { id: record.id, revokedAt: NOW } });
      }
      expect((await store.list({ limit: 9 })).tokens).toHaveLength(2);
    });

    test('of a type that is kept as bcrypt alone nothing is learned', async () => {
      const { store } = await fresh();
      await expect(store.learn(learning(PROJECT))).rejects.toThrow('bcrypt alone');
      expect((await store.list({ limit: 9 })).tokens).toEqual([]);
    });

    test('what would find it must not be another token’s: its id, or its digest', async () => {
      const { store } = await fresh();
      const piped = learning(PIPED, { plaintext: `7|${'a'.repeat(40)}` });
      const bare = learning(BARE);
      await store.learn(piped);
      await store.learn(bare);
      const before = await keptBy(store);
      const sameId = { ...piped, plaintext: `7|${'b'.repeat(40)}` };
      expect(await store.learn(sameId)).toEqual({ kind: 'taken' });
      expect(await store.learn({ ...sameId, insteadOf: of('p') })).toEqual({ kind: 'taken' });
      expect(await store.learn({ ...bare, type: OTHER })).toEqual({ kind: 'taken' });
      expect(await keptBy(store)).toBe(before);
      expect(await store.find(sameId.plaintext, [PIPED])).toBeNull();
      expect(await store.find(bare.plaintext, [OTHER])).toBeNull();
    });

    test('one instead of others ends those of its type with the same attributes, and no others', async () => {
      const { store, open } = await fresh();
      const learn = async (project: string, client: string, type = USER) =>
        learnedId(await store.learn(learning(type, { attributes: both(project, client) }))) ?? '';
      const [cli, cliToo, web, others] = [
        await learn('p', 'cli'),
        await learn('p', 'cli'),
        await learn('p', 'web'),
        await learn('q', 'cli'),
      ];
      const otherType = await learn('p', 'cli', OTHER);
      await store.disable(cliToo, 'op');
      const attributes = both('p', 'cli');
      const learned = await store.learn(learning(USER, { attributes, insteadOf: attributes }));
      if (learned.kind !== 'learned') throw new Error(learned.kind);
      expect(learned.replaced).toBe(2);
      const other = await open();
      for (const id of [cli, cliToo]) {
        expect(await other.byId(id)).toMatchObject({
          revokedAt: NOW,
          revokedBy: 'upstream',
          revokedReason: reason,
          rotatedTo: learned.record.id,
        });
        expect((await auditOf(store, id)).at(-1)).toEqual({
          action: 'token.revoke',
          actor: 'upstream',
          detail: { reason },
        });
      }
      for (const id of [web, others, otherType, learned.record.id])
        expect(await other.byId(id)).toMatchObject({ revokedAt: null });
    });

    test('many at once instead of each other leave exactly one, and every token is ended once', async () => {
      const { store, open } = await fresh();
      const stores = [store, await open()];
      const insteadOf = of('p');
      const all = await Promise.all(
        Array.from({ length: 12 }, (_, i) => (stores[i % 2] ?? store).learn(learning(USER, { insteadOf }))),
      );
      const ids = all.flatMap((one) => learnedId(one) ?? []);
      expect(ids).toHaveLength(12);
      expect(await alive(store, NOW)).toHaveLength(1);
      const ended = all.map((one) => (one.kind === 'learned' ? one.replaced : 0));
      expect(ended.reduce((sum, one) => sum + one)).toBe(11);
      const actions = await Promise.all(ids.map((id) => auditOf(store, id)));
      expect(
        actions
          .flat()
          .map(({ action }) => action)
          .sort(),
      ).toEqual([...Array(12).fill('token.learn'), ...Array(11).fill('token.revoke')]);
    });

    test('the same token many times at once is learned once', async () => {
      const { store, open } = await fresh();
      const stores = [store, await open()];
      for (const type of [USER, PIPED, UPGRADING]) {
        const token = learning(type, { attributes: of(type.name) });
        const all = await Promise.all(
          Array.from({ length: 8 }, (_, i) =>
            (stores[i % 2] ?? store).learn(i < 4 ? token : { ...token, insteadOf: of(type.name) }),
          ),
        );
        expect(all.map(({ kind }) => kind).sort()).toEqual([...Array(7).fill('known'), 'learned']);
        expect((await store.list({ type: type.name, limit: 9 })).tokens).toHaveLength(1);
      }
    });

    test('beside its own revoke, a token is never alive once both are done', async () => {
      const { store, open } = await fresh();
      const other = await open();
      for (let round = 0; round < 10; round++) {
        const token = learning(USER);
        const id = learnedId(await store.learn(token)) ?? '';
        await Promise.all([other.learn(token), store.revoke(id, 'op', null), store.learn(token)]);
        expect(await other.find(token.plaintext, [USER])).toMatchObject({ id, revokedAt: NOW });
      }
      expect(await alive(store, NOW)).toEqual([]);
    });
  });
}
