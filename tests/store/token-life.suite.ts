/** What every TokenStore must do when tokens are replaced by others, whatever database is under it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { alive, auditOf, dayMs, graced, isAlive, made, OTHER, of, regeneration } from './token-life-kit.ts';
import { NOW, newToken, PIPED, PROJECT, USER } from './token-types.ts';

/** Three characters of hex each: of 32 characters about one text in five holds one. */
const avoided = Array.from({ length: 32 }, (_, i) => (0xa01 + i * 7).toString(16));
const avoiding = { length: 32, alphabet: 'hex', avoid: avoided } as const;

export function describeTokenLife(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);

  describe(`a token store on ${name}: rotating`, () => {
    test.each([USER, PROJECT, PIPED])(
      'a $name token gets a successor like it; both work until the overlap ends',
      async (type) => {
        const { store, open } = await fresh();
        const old = await store.create(newToken(type, { expiresAt: NOW + 9 * dayMs }));
        const rotation = await store.rotate(old.record.id, type, dayMs, 'op');
        if (rotation?.kind !== 'rotated') throw new Error('not rotated');
        const { created, before } = rotation;
        expect(created.record).toMatchObject({
          type: type.name,
          label: old.record.label,
          scopes: old.record.scopes,
          attributes: old.record.attributes,
          origins: old.record.origins,
          expiresAt: NOW + 9 * dayMs,
          createdBy: 'op',
          version: 1,
        });
        expect(before).toEqual({
          ...old.record,
          rotatedTo: created.record.id,
          retireAt: NOW + dayMs,
          version: 2,
        });
        const other = await open();
        expect(await other.find(old.plaintext, [type])).toEqual(before);
        expect(await other.find(created.plaintext, [type])).toEqual(created.record);
        expect([NOW, NOW + dayMs - 1, NOW + dayMs].map((now) => isAlive(before, now))).toEqual([
          true,
          true,
          false,
        ]);
        expect((await store.list({ attributes: of('p-1'), limit: 9 })).tokens).toHaveLength(2);
        expect(await auditOf(store, old.record.id)).toContainEqual({
          action: 'token.rotate',
          actor: 'op',
          detail: { successor: created.record.id, overlap_ms: dayMs },
        });
      },
    );

    test.each([
      { ...USER, issue: avoiding },
      { ...OTHER, issue: avoiding, checksum: true as const },
      { ...PROJECT, issue: avoiding },
      { ...PIPED, issue: avoiding },
    ])('a new $name token holds no word to avoid, created, rotated or regenerated', async (type) => {
      const { store } = await fresh();
      const minted: string[] = [];
      for (let n = 0; n < 6; n++) {
        const { record, plaintext } = await store.create(made('p', type));
        const rotation = await store.rotate(record.id, type, 0, 'op');
        if (rotation?.kind !== 'rotated') throw new Error('not rotated');
        const { created } = await store.regenerate(regeneration('p', { type }));
        minted.push(plaintext, rotation.created.plaintext, created.plaintext);
      }
      const drawn = minted.map((text) => text.slice(text.indexOf('|') + 1).toLowerCase());
      expect(drawn.filter((text) => avoided.some((word) => text.includes(word)))).toEqual([]);
    });

    test('without an overlap the token is revoked, and no clock brings it back', async () => {
      const { store } = await fresh();
      const old = await store.create(made('p'));
      await store.rotate(old.record.id, USER, 0, 'op');
      expect(await store.find(old.plaintext, [USER])).toMatchObject({
        revokedAt: NOW,
        revokedBy: 'op',
        retireAt: null,
      });
    });

    test('one that has a successor, is dead or disabled is refused, and nothing is left of the attempt', async () => {
      const { store, clock } = await fresh();
      const [rotated, revoked, disabled, expired] = await Promise.all([
        store.create(made('p')),
        store.create(made('p')),
        store.create(made('p')),
        store.create({ ...made('p'), expiresAt: NOW + 1 }),
      ]);
      await store.rotate(rotated.record.id, USER, dayMs, 'op');
      await store.revoke(revoked.record.id, 'op', null);
      await store.disable(disabled.record.id, 'op');
      clock.now += 1;
      for (const { record } of [rotated, revoked, disabled, expired]) {
        const before = await store.byId(record.id);
        const audited = await auditOf(store, record.id);
        expect(await store.rotate(record.id, USER, dayMs, 'op')).toEqual({ kind: 'refused', record: before });
        expect(await auditOf(store, record.id)).toEqual(audited);
      }
      expect((await store.list({ limit: 100 })).tokens).toHaveLength(5);
      expect(await store.rotate('tok_none', USER, 0, 'op')).toBeNull();
      expect(await store.rotate(rotated.record.id, OTHER, 0, 'op')).toBeNull();
    });

    test('of many rotations at once one is done', async () => {
      const { store, open } = await fresh();
      const { record } = await store.create(made('p'));
      const stores = [store, await open()];
      const all = await Promise.all(
        Array.from({ length: 10 }, (_, i) => stores[i % 2]?.rotate(record.id, USER, dayMs, 'op')),
      );
      expect(all.filter((one) => one?.kind === 'rotated')).toHaveLength(1);
      expect((await store.list({ limit: 100 })).tokens).toHaveLength(2);
    });
  });

  describe(`a token store on ${name}: regenerating`, () => {
    test.each([USER, PROJECT, PIPED])('where no $name token lives makes the first', async (type) => {
      const { store } = await fresh();
      const { created, replaced } = await store.regenerate(
        regeneration('p', { type, scopes: ['events:read'] }),
      );
      expect(replaced).toEqual([]);
      expect(await store.find(created.plaintext, [type])).toEqual(created.record);
      expect(created.record).toMatchObject({
        label: 'first',
        scopes: ['events:read'],
        origins: [],
        attributes: of('p'),
      });
    });

    test('takes label, scopes, origins and expiry from the newest that lives, and ends all of them', async () => {
      const { store, open, clock } = await fresh();
      const oldest = await store.create({ ...made('p'), label: 'oldest' });
      clock.now += 1;
      const newest = await store.create({ ...made('p'), label: 'newest', expiresAt: NOW + dayMs });
      clock.now += 1;
      const dead = await store.create({ ...made('p'), label: 'dead' });
      await store.revoke(dead.record.id, 'op', 'leaked');
      const neighbours = [await store.create(made('q')), await store.create(made('p', OTHER))];
      const { created, replaced } = await store.regenerate(regeneration('p'));
      const { label, scopes, origins } = newest.record;
      expect(created.record).toMatchObject({
        label,
        scopes,
        origins,
        expiresAt: NOW + dayMs,
        attributes: of('p'),
      });
      expect(replaced).toEqual([oldest.record.id, newest.record.id]);
      const other = await open();
      for (const { plaintext } of [oldest, newest]) {
        expect(await other.find(plaintext, [USER])).toMatchObject({
          revokedAt: clock.now,
          revokedReason: 'regenerated',
        });
      }
      expect(await store.byId(dead.record.id)).toMatchObject({ revokedReason: 'leaked', rotatedTo: null });
      for (const { record } of neighbours) expect(await store.byId(record.id)).toEqual(record);
      const detail = { successor: created.record.id, grace_ms: 0 };
      for (const id of [created.record.id, ...replaced]) {
        expect(await auditOf(store, id)).toContainEqual({
          action: 'token.regenerate',
          actor: 'test',
          detail,
        });
      }
      expect(JSON.stringify(await auditOf(store, created.record.id))).not.toContain(created.plaintext);
    });

    test('with a grace both work until it ends; a second one never makes it longer', async () => {
      const { store, clock } = await fresh();
      const old = await store.create(made('p'));
      await store.regenerate(regeneration('p', graced));
      expect(await alive(store, clock.now)).toHaveLength(2);
      clock.now += dayMs / 2;
      const { created } = await store.regenerate(regeneration('p', graced));
      expect(await alive(store, clock.now)).toHaveLength(3);
      expect(await store.byId(old.record.id)).toMatchObject({ retireAt: NOW + dayMs });
      expect(await alive(store, NOW + dayMs)).toHaveLength(2);
      expect(await alive(store, NOW + 2 * dayMs)).toEqual([created.record.id]);
      const last = await store.regenerate(regeneration('p'));
      expect(await alive(store, clock.now)).toEqual([last.created.record.id]);
    });

    test('ends what is disabled or expired for good, grace or not', async () => {
      const { store } = await fresh();
      const disabled = await store.create(made('p'));
      await store.disable(disabled.record.id, 'op');
      const { created } = await store.regenerate(regeneration('p', graced));
      await store.enable(disabled.record.id, 'op');
      expect(await alive(store, NOW)).toEqual([created.record.id]);
    });

    test('there is one that lives at every moment, never none and never two', async () => {
      const { store, open } = await fresh();
      const watcher = await open();
      await store.create(made('p'));
      let isDone = false;
      const some = () => Promise.all(Array.from({ length: 5 }, () => store.regenerate(regeneration('p'))));
      const rounds = async () => {
        for (let n = 0; n < 5; n++) await some();
      };
      const work = rounds().finally(() => {
        isDone = true;
      });
      const seen = new Set<number>();
      while (!isDone) {
        seen.add((await alive(watcher, NOW)).length);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await work;
      expect([...seen]).toEqual([1]);
    });

    test('whatever happens at the same time, exactly the promised one lives after it', async () => {
      const { store, open } = await fresh();
      const stores = [store, await open()];
      const step = fc.record({
        at: fc.nat(1),
        what: fc.constantFrom('regenerate', 'graced', 'revoke', 'rotate', 'disable'),
        which: fc.nat(2),
      });
      let round = 0;
      const interleave = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const project = `r${round++}`;
        const first = await Promise.all([0, 1, 2].map(() => store.create(made(project))));
        const named: string[] = [];
        await Promise.all(
          [...steps, { at: 0, what: 'regenerate', which: 0 }].map(async ({ at, what, which }) => {
            const one = stores[at] ?? store;
            const id = first[which]?.record.id ?? '';
            if (what === 'revoke') await one.revoke(id, 'op', null);
            else if (what === 'disable') await one.disable(id, 'op');
            else if (what === 'rotate') await one.rotate(id, USER, dayMs, 'op');
            else {
              const choices = what === 'graced' ? graced : {};
              named.push((await one.regenerate(regeneration(project, choices))).created.record.id);
            }
          }),
        );
        for (const { record } of first) await store.enable(record.id, 'op');
        const left = await alive(store, NOW + dayMs, project);
        expect(left).toHaveLength(1);
        expect(named).toContain(left[0]);
        expect(first.every(({ record }) => !left.includes(record.id))).toBe(true);
      });
      await fc.assert(interleave, { numRuns: 25 });
    });
  });
}
