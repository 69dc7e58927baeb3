/** What every TokenStore must do with rows that only bcrypt can tell; part of the suite for token stores. */
import { hashSync } from 'bcryptjs';
import { describe, expect, test } from 'vitest';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { bcryptRule, importedToken, newToken, PROJECT, tokenType } from './token-types.ts';

export function describeBcryptRows(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);

  describe(`a token store on ${name}: bcrypt rows`, () => {
    test.each(['2a', '2b', '2y'])('a $%s$ hash is read', async (tag) => {
      const { store } = await fresh();
      const plaintext = 'prj_abcdefgh0123456789';
      const bcrypt = hashSync(plaintext, 4).replace(/^\$2.\$/, `$${tag}$`);
      await store.import([importedToken(PROJECT, { bcrypt, lookup: plaintext.slice(0, 12) })]);
      expect(await store.find(plaintext, [PROJECT])).toMatchObject({ preview: 'prj_abcd...' });
    });

    test('each of eight tokens with the same first characters is found', async () => {
      const { store } = await fresh();
      const plaintexts = Array.from({ length: 8 }, (_, n) => `prj_samestart-${n}`);
      await store.import(
        plaintexts.map((text, n) =>
          importedToken(
            PROJECT,
            { bcrypt: hashSync(text, 4), lookup: text.slice(0, 12) },
            { label: `n${n}` },
          ),
        ),
      );
      const found = await Promise.all(plaintexts.map((text) => store.find(text, [PROJECT])));
      expect(found.map((record) => record?.label)).toEqual(plaintexts.map((_, n) => `n${n}`));
      expect(await store.find('prj_samestart-8', [PROJECT])).toBeNull();
    });

    test('nine such rows are "cannot tell", never "unknown"', async () => {
      const { store } = await fresh();
      const rows = Array.from({ length: 9 }, (_, n) =>
        importedToken(PROJECT, { bcrypt: hashSync(`prj_samestart-${n}`, 4), lookup: 'prj_samestar' }),
      );
      await store.import(rows);
      const asked = async () => store.find('prj_samestart-0', [PROJECT]);
      await expect(asked()).rejects.toMatchObject({ name: 'StoreFault', code: 'store_unavailable' });
    });

    test('create never makes the ninth', async () => {
      const { store } = await fresh();
      const crowded = tokenType('crowded', 'crowded_', { ...bcryptRule, lookupChars: 8 });
      for (let n = 0; n < 8; n++) await store.create(newToken(crowded));
      await expect(store.create(newToken(crowded))).rejects.toThrow(/raise its lookup_chars/);
    });

    test('a token over 72 bytes is not what bcrypt made of its first 72', async () => {
      const { store } = await fresh();
      const whole = `prj_${'a'.repeat(66)}é`;
      expect(Buffer.byteLength(whole)).toBe(72);
      await store.import([
        importedToken(PROJECT, { bcrypt: hashSync(whole, 4), lookup: whole.slice(0, 12) }),
      ]);
      expect(await store.find(`${whole}b`, [PROJECT])).toBeNull();
      expect(await store.find(whole, [PROJECT])).not.toBeNull();
    });

    test('a token repeated after a NUL is another token', async () => {
      const { store } = await fresh();
      const text = 'prj_abcdefgh0123456789';
      await store.import([importedToken(PROJECT, { bcrypt: hashSync(text, 4), lookup: text.slice(0, 12) })]);
      expect(await store.find(`${text}\0${text}`, [PROJECT])).toBeNull();
    });
  });
}
