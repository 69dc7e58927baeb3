/** What every TokenStore must do with tokens that nobody uses, whatever database is under it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TokenType } from '../../policy/token-types.ts';
import { isUnused } from '../../policy/unused.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { dayMs, graced, isAlive, made, of, regeneration } from './token-life-kit.ts';
import { importedToken, NOW, PROJECT, USER } from './token-types.ts';

const forMs = 30 * dayMs;
const unused = { forMs, leewayMs: 60_000 };
const lastMs = forMs + unused.leewayMs;
const ending = (type: TokenType): TokenType => ({ ...type, unused });

export function describeUnusedTokens(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);
  const listed = async (store: OpenTokens, unusedSince: number, more = {}) =>
    (await store.list({ unusedSince, limit: 1000, ...more })).tokens.map(({ id }) => id);

  describe(`a token store on ${name}: unused tokens`, () => {
    test.each([ending(USER), ending(PROJECT)])(
      'a use of a $name token is seen here before it is written, and elsewhere after',
      async (type) => {
        const { store, open, clock } = await fresh();
        const { record, plaintext } = await store.create(made('p', type));
        const other = await open();
        // Verified before: whatever is remembered of it must not hide its state.
        for (const one of [store, other]) await one.find(plaintext, [type]);
        clock.now += forMs - 1;
        store.touch(record.id, clock.now);
        const lastUsedAt = clock.now;
        clock.now += unused.leewayMs + 1;
        expect(await store.find(plaintext, [type])).toEqual({ ...record, lastUsedAt });
        expect(await store.byIds([record.id])).toEqual([{ ...record, lastUsedAt }]);
        const stale = await other.find(plaintext, [type]);
        expect(stale && isAlive(stale, clock.now, type)).toBe(false);
        await store.flush();
        const seen = await other.find(plaintext, [type]);
        expect(seen && isAlive(seen, clock.now, type)).toBe(true);
        clock.now = lastUsedAt + lastMs;
        for (const one of [store, other]) {
          const found = await one.find(plaintext, [type]);
          expect(found && isAlive(found, clock.now, type)).toBe(false);
        }
      },
    );

    test('one that has ended by it is not rotated, as none is that is dead', async () => {
      const { store, clock } = await fresh();
      const { record } = await store.create(made('p'));
      clock.now += lastMs;
      expect(await store.rotate(record.id, ending(USER), dayMs, 'op')).toMatchObject({ kind: 'refused' });
      clock.now -= 1;
      expect(await store.rotate(record.id, ending(USER), dayMs, 'op')).toMatchObject({ kind: 'rotated' });
    });

    test('one that has ended by it gets no grace, and hands nothing on, when a project is regenerated', async () => {
      const { store, clock } = await fresh();
      const used = await store.create({ ...made('p'), label: 'used' });
      clock.now += 1;
      const idle = await store.create({ ...made('p'), label: 'idle' });
      clock.now += lastMs;
      store.touch(used.record.id, clock.now - dayMs);
      await store.flush();
      const { created } = await store.regenerate(regeneration('p', { ...graced, type: ending(USER) }));
      expect(created.record.label).toBe('used');
      expect(await store.byId(idle.record.id)).toMatchObject({ revokedAt: clock.now });
      expect(await store.byId(used.record.id)).toMatchObject({
        revokedAt: null,
        retireAt: clock.now + dayMs,
      });
    });

    test('no import says that one was made, or used, later than now', async () => {
      const { store, clock } = await fresh();
      const life = { retireAt: null, disabledAt: null, revokedAt: null, revokedReason: null };
      const later = { createdAt: NOW + 900 * dayMs, life: { ...life, lastUsedAt: NOW + 900 * dayMs } };
      await store.import([importedToken(USER, { sha256: 'b'.repeat(64) }, later)]);
      const [record] = (await store.list({ limit: 1 })).tokens;
      expect(record).toMatchObject({ createdAt: NOW, lastUsedAt: NOW });
      clock.now += lastMs;
      expect(record && isAlive(record, clock.now, ending(USER))).toBe(false);
    });

    test('are listed: those that were neither used nor came since then, and are not revoked', async () => {
      const { store, clock } = await fresh();
      const [idle, used, revoked] = [
        await store.create(made('p')),
        await store.create(made('q', PROJECT)),
        await store.create(made('p')),
      ];
      await store.revoke(revoked.record.id, 'op', null);
      clock.now += dayMs;
      await store.import([
        importedToken(
          USER,
          { sha256: 'a'.repeat(64) },
          { createdAt: NOW - 900 * dayMs, attributes: of('p') },
        ),
      ]);
      const imported = (await store.list({ limit: 9 })).tokens.at(-1)?.id;
      store.touch(used.record.id, NOW + 5);
      await store.flush();
      expect(await listed(store, NOW - 1)).toEqual([]);
      expect(await listed(store, NOW + 4)).toEqual([idle.record.id]);
      expect(await listed(store, NOW + 5)).toEqual([idle.record.id, used.record.id]);
      expect(await listed(store, clock.now - 1)).toEqual([idle.record.id, used.record.id]);
      expect(await listed(store, clock.now)).toEqual([idle.record.id, used.record.id, imported]);
      expect(await listed(store, clock.now, { type: USER.name })).toEqual([idle.record.id, imported]);
      expect(await listed(store, clock.now, { type: USER.name, attributes: of('p') })).toEqual([
        idle.record.id,
        imported,
      ]);
      expect(await listed(store, clock.now, { attributes: of('q') })).toEqual([used.record.id]);
      const page = await store.list({ unusedSince: clock.now, limit: 2 });
      expect(page.next).toBe(used.record.id);
      expect(await listed(store, clock.now, { after: page.next })).toEqual([imported]);
      expect(await listed(store, -5)).toEqual([]);
    });

    test('the list and the check agree on every one', async () => {
      const { store, clock } = await fresh();
      const ages = await fc.sample(fc.integer({ min: 0, max: 2 * lastMs }), 40);
      for (const age of [lastMs, lastMs - 1, ...ages].sort((a, b) => b - a)) {
        clock.now = NOW - age;
        const { record } = await store.create(made('p'));
        if (age % 3 === 0) store.touch(record.id, NOW - Math.floor(age / 2));
      }
      await store.flush();
      clock.now = NOW;
      const { tokens } = await store.list({ limit: 1000 });
      const ended = tokens.filter((token) => isUnused(token, ending(USER), NOW)).map(({ id }) => id);
      expect(ended.length).toBeGreaterThan(1);
      expect(await listed(store, NOW - lastMs)).toEqual(ended);
    });
  });
}
