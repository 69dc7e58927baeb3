/** What every RetirementStore must do, whatever database is under it. */
import { describe, expect, test } from 'vitest';
import type { OpenTokens } from '../../store/tokens.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { auditOf, dayMs, made } from './token-life-kit.ts';
import { NOW, USER } from './token-types.ts';

export function describeRetirements(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);

  async function rotated(store: OpenTokens, whenQuiet = true) {
    const { record } = await store.create(made('p'));
    const rotation = await store.rotate(record.id, USER, 7 * dayMs, 'op', whenQuiet);
    if (rotation?.kind !== 'rotated') throw new Error('not rotated');
    return { tokenId: record.id, successor: rotation.created.record.id };
  }

  const quiet = { lastUsedAt: 0, by: 'postern', reason: 'quiet' };

  describe(`a store of retirements on ${name}`, () => {
    test('knows whom a rotation asked to end when quiet, until it has ended', async () => {
      const { store, clock } = await fresh();
      const { retirements } = store;
      const unasked = await rotated(store, false);
      const [one, other] = [await rotated(store), await rotated(store)];
      expect(await retirements.pending('')).toEqual([one, other]);
      expect(await retirements.pending(one.tokenId)).toEqual([other]);
      const asked = async () => {
        const all = await retirements.asked([unasked.tokenId, one.tokenId, other.tokenId, 'tok_none']);
        return new Set(all);
      };
      const told = { askedAt: NOW, askedBy: 'op' };
      expect(await asked()).toEqual(
        new Set([
          { ...one, ...told },
          { ...other, ...told },
        ]),
      );
      expect(await retirements.asked([])).toEqual([]);
      expect(await auditOf(store, one.tokenId)).toContainEqual({
        action: 'token.rotate',
        actor: 'op',
        detail: { successor: one.successor, overlap_ms: 7 * dayMs, retire: 'when_quiet' },
      });
      await store.revoke(one.tokenId, 'op', null);
      expect(await retirements.pending('')).toEqual([other]);
      expect(await asked()).toEqual(new Set([{ ...other, ...told }]));
      clock.now += 7 * dayMs;
      expect(await retirements.pending('')).toEqual([]);
      expect(await asked()).toEqual(new Set());
      await retirements.forgetEnded();
      clock.now -= 7 * dayMs;
      expect(await retirements.pending('')).toEqual([]);
    });

    test('a rotation that was refused asks for nothing', async () => {
      const { store } = await fresh();
      const { tokenId } = await rotated(store, false);
      expect(await store.rotate(tokenId, USER, 7 * dayMs, 'op', true)).toMatchObject({ kind: 'refused' });
      expect(await store.retirements.pending('')).toEqual([]);
    });

    test('a dry run of a rotation asks for nothing', async () => {
      const { store } = await fresh();
      const { record } = await store.create(made('p'));
      await store.dry.tokens.rotate(record.id, USER, 7 * dayMs, 'op', true);
      expect(await store.retirements.pending('')).toEqual([]);
    });

    test('ends it once, by whoever comes first, with one audit row', async () => {
      const { store, open, clock } = await fresh();
      const stores = [store, await open(), await open()];
      const one = await rotated(store);
      clock.now += 3 * dayMs;
      const ended = await Promise.all(
        stores.flatMap(({ retirements }) => [
          retirements.retire({ ...one, ...quiet }),
          retirements.retire({ ...one, ...quiet }),
        ]),
      );
      expect(ended.filter((is) => is)).toHaveLength(1);
      expect(await store.byId(one.tokenId)).toMatchObject({
        retireAt: clock.now,
        revokedAt: null,
        version: 3,
      });
      expect((await store.byId(one.successor))?.retireAt).toBeNull();
      const audited = await auditOf(store, one.tokenId);
      expect(audited.filter(({ action }) => action === 'token.retire')).toEqual([
        {
          action: 'token.retire',
          actor: 'postern',
          detail: { successor: one.successor, reason: 'quiet', last_used_at: null },
        },
      ]);
    });

    test('does not end what was used since it was judged, wherever that is written', async () => {
      const { store, clock } = await fresh();
      const [noted, counted] = [await rotated(store), await rotated(store)];
      const at = clock.now + 5;
      store.touch(noted.tokenId, at);
      await store.flush();
      await store.usage.add([], [{ tokenId: counted.tokenId, at, address: '10.0.0.1', route: 'r' }]);
      for (const one of [noted, counted]) {
        expect(await store.retirements.retire({ ...one, ...quiet, lastUsedAt: at - 1 })).toBe(false);
        expect(await store.byId(one.tokenId)).toMatchObject({ retireAt: NOW + 7 * dayMs, version: 2 });
        expect(await store.retirements.retire({ ...one, ...quiet, lastUsedAt: at })).toBe(true);
      }
    });

    test('ends nothing that nobody asked for, or that is another rotation’s', async () => {
      const { store } = await fresh();
      const [asked, unasked] = [await rotated(store), await rotated(store, false)];
      const { retire } = store.retirements;
      expect(await retire({ ...unasked, ...quiet })).toBe(false);
      expect(await retire({ ...asked, successor: unasked.successor, ...quiet })).toBe(false);
      expect(await retire({ tokenId: 'tok_none', successor: asked.successor, ...quiet })).toBe(false);
      expect(await store.byId(asked.tokenId)).toMatchObject({ retireAt: NOW + 7 * dayMs });
    });
  });
}
