/** What every TokenStore must do with `<id>|<random>` and with peppers; part of the suite for token stores. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TokenType } from '../../policy/token-types.ts';
import type { Peppers } from '../../store/token-digests.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { BARE, importedToken, MOVING, newToken, PEPPERED, PIPED, USER } from './token-types.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const [P25, P26] = ['pepper of 2025 '.repeat(3), 'pepper of 2026 '.repeat(3)];
const peppersOf = (...list: readonly (string | null)[]): Peppers =>
  new Map([PEPPERED, MOVING].map(({ name }) => [name, list]));
const fault = { name: 'StoreFault', code: 'store_unavailable' };

export function describeTokenFormats(name: string, createDatabase: CreateDatabase): void {
  const fresh = (peppers?: Peppers) => freshStore(createDatabase, peppers);
  const sanctum = (id: string, random: string, type: TokenType = PIPED) =>
    importedToken(type, { sha256: sha256(random) }, { externalId: id });

  describe(`a token store on ${name}: <id>|<random>`, () => {
    test('a created token is found by its id, and verified before from then on', async () => {
      const { store, open } = await fresh();
      const { record, plaintext } = await store.create(newToken(PIPED));
      expect(plaintext).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}\|[0-9A-Za-z]{32}$/);
      expect(record).toMatchObject({
        externalId: plaintext.slice(0, 26),
        preview: `${plaintext.slice(0, 27)}...`,
      });
      expect(store.verifiedBefore(plaintext)).toBe(false);
      expect(await store.find(plaintext, [PIPED])).toStrictEqual(record);
      expect(store.verifiedBefore(plaintext)).toBe(true);
      expect(await (await open()).find(plaintext, [PIPED])).toStrictEqual(record);
    });

    test('an imported one is found by what follows the first |, others under its id are not', async () => {
      const { store } = await fresh();
      const [random, strange] = ['abcXYZ0123456789', 'with|a|pipe'];
      expect(await store.import([sanctum('2', random), sanctum('3_-Z', strange)])).toEqual({
        imported: 2,
        skipped: 0,
      });
      expect(await store.find(`2|${random}`, [PIPED])).toMatchObject({ externalId: '2', preview: '2|...' });
      expect(await store.find(`3_-Z|${strange}`, [PIPED])).toMatchObject({ externalId: '3_-Z' });
      for (const text of [
        `3|${random}`,
        `2|${random}x`,
        `02|${random}`,
        `2||${random}`,
        '2|',
        `|${random}`,
      ]) {
        expect(await store.find(text, [PIPED])).toBeNull();
      }
    });

    test('is imported once, and never without an id a token can begin with', async () => {
      const { store } = await fresh();
      expect(await store.import([sanctum('2', 'a'), sanctum('2', 'b'), sanctum('3', 'a')])).toEqual({
        imported: 1,
        skipped: 2,
      });
      for (const id of ['', 'a|b', 'é', 'x'.repeat(65)]) {
        await expect(store.import([sanctum(id, 'c')])).rejects.toThrow(TypeError);
      }
      await expect(store.import([importedToken(PIPED, { sha256: sha256('c') })])).rejects.toThrow(TypeError);
    });

    test('a revoke holds for the next find', async () => {
      const { store, open } = await fresh();
      const { record, plaintext } = await store.create(newToken(PIPED));
      const other = await open();
      await other.find(plaintext, [PIPED]);
      await store.revoke(record.id, 'operator', null);
      expect(await other.find(plaintext, [PIPED])).toMatchObject({ revokedBy: 'operator' });
    });

    test('the random part alone, or as a token of another type, is unknown', async () => {
      const { store } = await fresh();
      const random = 'abcXYZ0123456789';
      await store.import([sanctum('2', random)]);
      const others = [BARE, USER, { ...BARE, name: PIPED.name }];
      for (const text of [random, `2|${random}`, `r:${sha256(random)}`, sha256(random)]) {
        expect(await store.find(text, others)).toBeNull();
      }
      // Nor does a whole token with an external id stand for `<id>|<whole token>`.
      await store.import([importedToken(BARE, { sha256: sha256(random) }, { externalId: '7' })]);
      expect(await store.find(random, [PIPED, BARE])).toMatchObject({ type: 'bare' });
      expect(await store.find(`7|${random}`, [PIPED, { ...PIPED, name: 'bare' }, BARE])).toBeNull();
    });
  });

  describe(`a token store on ${name}: whichever types are asked for`, () => {
    test('a token finds its own row, and no cut, join or swap of tokens finds any', async () => {
      const types = [USER, BARE, PIPED, { ...PIPED, name: 'piped-too' }, PEPPERED, MOVING];
      const { store } = await fresh(peppersOf(P26, P25));
      const known = new Map<string, string>();
      for (const type of types.flatMap((type) => [type, type])) {
        const { plaintext } = await store.create(newToken(type));
        known.set(plaintext, type.name);
      }
      const parts = [...known.keys()].flatMap((text) => [text, ...text.split('|')]);
      const piece = fc.oneof(fc.constantFrom(...parts), fc.constantFrom('|', 'r:', '2', 'usr_', ''));
      const text = fc.oneof(
        fc.constantFrom(...parts),
        fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join('')),
        fc.tuple(fc.constantFrom(...parts), piece).map(([a, b]) => `${a}|${b}`),
      );
      let found = 0;
      await fc.assert(
        fc.asyncProperty(text, fc.subarray(types), async (plaintext, asked) => {
          const owner = known.get(plaintext);
          const record = await store.find(plaintext, asked);
          const mayBe = asked.some((type) => type.name === owner);
          expect(record?.type ?? null).toBe(mayBe ? owner : null);
          if (record !== null) found++;
        }),
        { numRuns: 500 },
      );
      expect(found).toBeGreaterThan(20);
    });
  });

  describe(`a token store on ${name}: peppers`, () => {
    test('a token is found under the peppers it was made with, and under no others', async () => {
      const { store, open } = await fresh(peppersOf(P26));
      const { record, plaintext } = await store.create(newToken(PEPPERED));
      expect(await store.find(plaintext, [PEPPERED])).toStrictEqual(record);
      expect(store.verifiedBefore(plaintext)).toBe(true);
      expect(await (await open(peppersOf(P25))).find(plaintext, [PEPPERED])).toBeNull();
      expect(await (await open(peppersOf(P25, P26))).find(plaintext, [PEPPERED])).toMatchObject({
        id: record.id,
      });
      expect(await store.find(plaintext, [{ ...BARE, name: PEPPERED.name }])).toBeNull();
    });

    test('one found under an older pepper, or none, is written anew under the first', async () => {
      const { store, open } = await fresh(peppersOf(P25, null));
      const row = importedToken(MOVING, { sha256: sha256('kept without a pepper') });
      await store.import([row]);
      const { plaintext } = await store.create(newToken(MOVING));
      await store.close();
      const turning = await open(peppersOf(P26, P25, null));
      for (const text of [plaintext, plaintext, 'kept without a pepper']) {
        expect(await turning.find(text, [MOVING])).toMatchObject({ type: 'moving', version: 1 });
      }
      const turned = await open(peppersOf(P26));
      for (const text of [plaintext, 'kept without a pepper']) {
        await expect.poll(async () => (await turned.find(text, [MOVING]))?.type).toBe('moving');
      }
    });

    test('they hold for <id>|<random> too', async () => {
      const piped: TokenType = { ...MOVING, format: 'id_pipe_random' };
      const { store, open } = await fresh(peppersOf(P25, null));
      const { plaintext } = await store.create(newToken(piped));
      await store.import([sanctum('2', 'kept without a pepper', piped)]);
      await store.close();
      const turning = await open(peppersOf(P26, P25, null));
      for (const text of [plaintext, '2|kept without a pepper']) await turning.find(text, [piped]);
      const turned = await open(peppersOf(P26));
      for (const text of [plaintext, '2|kept without a pepper']) {
        // Written behind the answer; who closes the store at once may be before it.
        await expect.poll(async () => (await turned.find(text, [piped]))?.type).toBe('moving');
      }
      expect(await turned.find('kept without a pepper', [piped, BARE])).toBeNull();
    });

    test('a row that was made without a pepper is nobody once none is dropped', async () => {
      const { store, open } = await fresh(peppersOf(P26, null));
      await store.import([importedToken(MOVING, { sha256: sha256('kept without a pepper') })]);
      expect(await (await open(peppersOf(P26))).find('kept without a pepper', [MOVING])).toBeNull();
      await expect(store.import([importedToken(PEPPERED, { sha256: sha256('x') })])).rejects.toThrow(
        TypeError,
      );
    });

    test('a revoked row stays revoked, even where its old digest is imported again', async () => {
      const { store } = await fresh(peppersOf(P26, null));
      const row = importedToken(MOVING, { sha256: sha256('kept without a pepper') });
      await store.import([row]);
      const { id = '' } = (await store.find('kept without a pepper', [MOVING])) ?? {};
      await store.revoke(id, 'operator', null);
      await store.import([row]);
      expect(await store.find('kept without a pepper', [MOVING])).toMatchObject({
        id,
        revokedBy: 'operator',
      });
    });

    test('without those of a type the store cannot tell, and makes no token of it', async () => {
      const { store, open } = await fresh(peppersOf(P26));
      const { plaintext } = await store.create(newToken(PEPPERED));
      const blind = await open(new Map());
      await expect((async () => blind.find(plaintext, [PEPPERED]))()).rejects.toMatchObject(fault);
      await expect(blind.create(newToken(PEPPERED))).rejects.toMatchObject(fault);
      expect(await blind.find(plaintext, [USER])).toBeNull();
    });
  });
}
