/** What every TokenStore must do when upstreams end tokens, and when they say several things at once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { alive, auditOf, dayMs, learning, made, OTHER, of, reason } from './token-life-kit.ts';
import { BARE, NOW, newToken, PIPED, USER } from './token-types.ts';

export function describeTokenEnds(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);

  describe(`a token store on ${name}: whatever upstreams say at the same time`, () => {
    test('a token has one row, once dead it stays dead, and what came before an end does not outlive it', async () => {
      const { store, open } = await fresh();
      const other = await open();
      const act = fc.oneof(
        fc.record({ kind: fc.constant('learn'), token: fc.nat(3), instead: fc.boolean() }),
        fc.record({ kind: fc.constantFrom('revoke', 'end'), token: fc.nat(3), instead: fc.constant(false) }),
      );
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(act, { maxLength: 5 }), { maxLength: 5 }), async (rounds) => {
          const project = `run-${run++}`;
          const type = run % 2 === 0 ? USER : PIPED;
          const attributes = of(project);
          const tokens = Array.from({ length: 4 }, () => learning(type, { attributes }));
          const dead = new Set<string>();
          for (const acts of rounds) {
            await Promise.all(
              acts.map(async ({ kind, token: at, instead }, index) => {
                const by = index % 2 === 0 ? store : other;
                const token = tokens[at] ?? expect.fail();
                if (kind === 'learn') await by.learn({ ...token, insteadOf: instead ? attributes : null });
                else if (kind === 'end') await by.endAll({ type, attributes, by: 'op', reason });
                else {
                  const record = await by.find(token.plaintext, [type]);
                  if (record !== null) await by.revoke(record.id, 'op', null);
                }
              }),
            );
            const { tokens: rows } = await other.list({ attributes, limit: 100 });
            expect(rows.length).toBeLessThanOrEqual(4);
            for (const { id, revokedAt } of rows) {
              if (revokedAt !== null) dead.add(id);
              expect(dead.has(id)).toBe(revokedAt !== null);
            }
            const brought = acts.some(({ kind }) => kind === 'learn');
            if (acts.some(({ kind }) => kind === 'end') && !brought) expect(dead.size).toBe(rows.length);
          }
          for (const id of dead) {
            const revokes = (await auditOf(store, id)).filter(({ action }) => action === 'token.revoke');
            expect(revokes).toHaveLength(1);
          }
        }),
        { numRuns: 15 },
      );
    });
  });

  describe(`a token store on ${name}: ending all`, () => {
    const ending = { type: USER, by: 'tok_1', reason };

    test('ends all of a type with these attributes, the disabled and expired too, and no others', async () => {
      const { store, open, clock } = await fresh();
      const mine = await Promise.all([1, 2, 3].map(() => store.create(made('p'))));
      const [disabled, revoked] = mine.map(({ record }) => record.id);
      const expired = await store.create({ ...made('p'), expiresAt: NOW + 1 });
      const others = await Promise.all([store.create(made('q')), store.create(made('p', OTHER))]);
      await store.disable(disabled ?? '', 'op');
      await store.revoke(revoked ?? '', 'op', 'before');
      clock.now += 10;
      const meant = [...mine, expired].map(({ record }) => record.id).filter((id) => id !== revoked);
      expect(await store.endAll({ ...ending, attributes: of('p') })).toBe(3);
      const other = await open();
      for (const id of meant) {
        expect(await other.byId(id)).toMatchObject({
          revokedAt: NOW + 10,
          revokedBy: 'tok_1',
          revokedReason: reason,
          rotatedTo: null,
        });
        expect((await auditOf(store, id)).filter(({ action }) => action === 'token.revoke')).toEqual([
          { action: 'token.revoke', actor: 'tok_1', detail: { reason } },
        ]);
      }
      expect(await other.byId(revoked ?? '')).toMatchObject({ revokedReason: 'before', revokedAt: NOW });
      for (const { record } of others) expect(await other.byId(record.id)).toEqual(record);
      expect(await store.endAll({ ...ending, attributes: of('p') })).toBe(0);
      expect(await store.endAll({ ...ending, attributes: of('nobody') })).toBe(0);
      const revokes = await Promise.all(meant.map((id) => auditOf(store, id)));
      expect(revokes.flat().filter(({ action }) => action === 'token.revoke')).toHaveLength(meant.length);
    });

    test('without attributes ends nothing', async () => {
      const { store } = await fresh();
      const { record } = await store.create(made('p'));
      await expect(store.endAll({ ...ending, attributes: new Map() })).rejects.toThrow('every token');
      const all = { insteadOf: new Map<string, string>() };
      await expect(store.learn(learning(USER, all))).rejects.toThrow('every token');
      expect(await store.byId(record.id)).toEqual(record);
      expect((await store.list({ limit: 9 })).tokens).toHaveLength(1);
    });

    test('beside rotations and logins leaves nothing that began before it', async () => {
      const { store, open } = await fresh();
      const other = await open();
      for (let round = 0; round < 5; round++) {
        const project = `p-${round}`;
        const { record } = await store.create(made(project));
        await Promise.all([
          other.rotate(record.id, USER, dayMs, 'op'),
          store.endAll({ ...ending, attributes: of(project) }),
        ]);
        const [one, ...more] = await alive(store, NOW, project);
        // Either the rotation came first, and both ended; or it came too late, and made nothing.
        expect([one, more]).toEqual([undefined, []]);
      }
    });

    test('ends exactly those that have all of the attributes, whatever they are called', async () => {
      const { store } = await fresh();
      const word = fc.constantFrom('a', 'b', "c'", 'd%', '_');
      const pairs = fc.dictionary(fc.constantFrom('project', 'client', 'x.y'), word, { minKeys: 1 });
      await fc.assert(
        fc.asyncProperty(fc.array(pairs, { minLength: 1, maxLength: 4 }), pairs, async (held, named) => {
          const created = await Promise.all(
            held.map((one) => store.create(newToken(BARE, { attributes: new Map(Object.entries(one)) }))),
          );
          const attributes = new Map(Object.entries(named));
          expect(await store.endAll({ ...ending, type: OTHER, attributes })).toBe(0);
          await store.endAll({ ...ending, type: BARE, attributes });
          for (const [index, { record }] of created.entries()) {
            const isMeant = [...attributes].every(([key, value]) => held[index]?.[key] === value);
            expect((await store.byId(record.id))?.revokedAt).toBe(isMeant ? NOW : null);
          }
        }),
        { numRuns: 12 },
      );
    });
  });
}
