/**
 * What every TokenStore must do with a token that stands in several rows: that with its digest answers for it, for good; of those that
 * only bcrypt can tell, whatever ends one ends it.
 */
import { createHash } from 'node:crypto';
import { hashSync } from 'bcryptjs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TokenType } from '../../policy/token-types.ts';
import type { ImportedToken } from '../../store/token-store.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { fuzz } from '../support/fuzz.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { auditOf, dayMs, isAlive } from './token-life-kit.ts';
import { importedToken, NOW, PROJECT, UPGRADING } from './token-types.ts';

let serial = 0;
const secretOf = (type: TokenType) => `${type.prefix}${String(serial++).padStart(8, '0')}-rest`;

const asSha256 = (type: TokenType, secret: string, choices: Partial<ImportedToken> = {}) =>
  importedToken(type, { sha256: createHash('sha256').update(secret).digest('hex') }, choices);

/** Each time under another salt. */
const asBcrypt = (type: TokenType, secret: string, choices: Partial<ImportedToken> = {}) =>
  importedToken(type, { bcrypt: hashSync(secret, 4), lookup: secret.slice(0, 12) }, choices);

/** Ids by label. */
async function idsOf(store: OpenTokens, type: TokenType): Promise<ReadonlyMap<string, string>> {
  const { tokens } = await store.list({ type: type.name, limit: 1000 });
  return new Map(tokens.map(({ id, label }) => [label, id]));
}

async function works(store: OpenTokens, secret: string, type: TokenType, now: number): Promise<boolean> {
  const found = await store.find(secret, [type]);
  return found !== null && isAlive(found, now, type);
}

const ends = ['none', 'revoked', 'disabled', 'expires'] as const;
const row = fc.record({ hash: fc.constantFrom('bcrypt', 'sha256'), end: fc.constantFrom(...ends) });
const rows = fc.array(row, { minLength: 1, maxLength: 4 });

export function describeTokenTwins(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);
  const purge = (endedBeforeMs: number) => ({ endedBeforeMs, but: [], by: 'test' });

  describe(`one token in several rows on ${name}`, () => {
    test('works until what answers for it ends, and never again: not in another process, not after a purge, not brought in anew', async () => {
      const { store, open, clock } = await fresh();
      // As other processes: one hears of each token when it may have ended, one when it may have been purged.
      const [other, late] = [await open(), await open()];
      const history = [fc.constantFrom(PROJECT, UPGRADING), rows, fc.boolean()] as const;
      await fc.assert(
        fc.asyncProperty(...history, async (type, lives, isUsedBefore) => {
          const secret = secretOf(type);
          const firstDigest = lives.findIndex(({ hash }) => hash === 'sha256');
          const imported = lives.flatMap(({ hash, end }, n) => {
            if (hash === 'sha256' && n !== firstDigest) return [];
            const choices = {
              label: `${secret} ${n}`,
              expiresAt: end === 'expires' ? clock.now + 1 : null,
            };
            return (hash === 'sha256' ? asSha256 : asBcrypt)(type, secret, choices);
          });
          await store.import(imported);
          if (isUsedBefore) expect(await works(store, secret, type, clock.now)).toBe(true);
          const ids = await idsOf(store, type);
          let isEnded = false;
          for (const [n, { end }] of lives.entries()) {
            const id = ids.get(`${secret} ${n}`);
            if (id === undefined || end === 'none') continue;
            if (firstDigest < 0 || n === firstDigest) isEnded = true;
            if (end === 'revoked') await store.revoke(id, 'test', null);
            if (end === 'disabled') await store.disable(id, 'test');
          }
          clock.now += 1;
          expect(await works(store, secret, type, clock.now)).toBe(!isEnded);
          expect(await works(other, secret, type, clock.now)).toBe(!isEnded);
          clock.now += dayMs;
          await store.purge(purge(clock.now));
          for (const one of [store, other, late]) {
            expect(await works(one, secret, type, clock.now)).toBe(!isEnded);
          }
          await store.import(imported);
          const now = clock.now + 1;
          expect(await works(store, secret, type, now)).toBe(!isEnded);
          expect(await works(other, secret, type, now)).toBe(!isEnded);
        }),
        fuzz(12),
      );
    });

    test.each([PROJECT, UPGRADING])(
      'a revoke holds, whichever row of $name it is of, and a purge leaves it',
      async (type) => {
        for (const ended of [0, 1]) {
          const { store, open, clock } = await fresh();
          const secret = secretOf(type);
          await store.import([
            asBcrypt(type, secret, { label: '0' }),
            asBcrypt(type, secret, { label: '1' }),
            asBcrypt(type, secretOf(type), { label: 'alone', expiresAt: NOW + 1 }),
          ]);
          expect(await works(store, secret, type, NOW)).toBe(true);
          const id = (await idsOf(store, type)).get(String(ended)) ?? '';
          await store.revoke(id, 'test', null);
          expect(await works(store, secret, type, NOW)).toBe(false);
          clock.now += dayMs;
          const left = { purged: 1, leftOut: { alike: 1, peppered: 0 } };
          expect(await store.dry.tokens.purge(purge(clock.now))).toEqual(left);
          expect(await store.purge(purge(clock.now))).toEqual(left);
          expect((await auditOf(store, 'tokens')).map(({ detail }) => detail)).toEqual([
            { ended_before: clock.now, purged: 1, left_out: { alike: 1, peppered: 0 } },
          ]);
          expect((await store.byId(id))?.id).toBe(id);
          for (const one of [store, await open()])
            expect(await works(one, secret, type, clock.now)).toBe(false);
          for (const other of (await idsOf(store, type)).values()) await store.revoke(other, 'test', null);
          clock.now += dayMs;
          expect(await store.purge(purge(clock.now))).toMatchObject({ purged: 2, leftOut: { alike: 0 } });
          expect(await works(store, secret, type, clock.now)).toBe(false);
        }
      },
    );

    test('of a row under bcrypt and one under SHA-256 the latter answers, and no purge of it leaves one that works', async () => {
      for (const ended of ['bcrypt', 'sha256']) {
        const { store, open, clock } = await fresh();
        const secret = secretOf(UPGRADING);
        await store.import([
          asBcrypt(UPGRADING, secret, { label: 'bcrypt' }),
          asSha256(UPGRADING, secret, { label: 'sha256' }),
        ]);
        const before = await open();
        expect(await works(before, secret, UPGRADING, NOW)).toBe(true);
        await store.revoke((await idsOf(store, UPGRADING)).get(ended) ?? '', 'test', null);
        const expected = ended === 'bcrypt';
        for (const one of [store, before, await open()])
          expect(await works(one, secret, UPGRADING, clock.now)).toBe(expected);
        clock.now += dayMs;
        // Its digest leaves a mark, and the row that stays is held against it; bcrypt leaves none.
        const purged = ended === 'sha256' ? 1 : 0;
        expect(await store.purge(purge(clock.now))).toMatchObject({ purged, leftOut: { alike: 1 - purged } });
        for (const one of [store, before, await open()])
          expect(await works(one, secret, UPGRADING, clock.now)).toBe(expected);
      }
    });

    test.each([PROJECT, UPGRADING])(
      'a row of $name with the digest that comes later answers at once, in every process',
      async (type) => {
        const { store, open, clock } = await fresh();
        const secrets: string[] = [];
        for (const twins of [1, 2]) {
          for (const how of ['by text', 'by id']) {
            const secret = secretOf(type);
            secrets.push(secret);
            const alike = Array.from({ length: twins }, (_, n) =>
              asBcrypt(type, secret, { label: `${secret} ${n}` }),
            );
            await store.import(alike);
            const first = await store.find(secret, [type]);
            await store.flush();
            await store.import([asSha256(type, secret, { label: `${secret} sha256` })]);
            const found = await store.find(secret, [type]);
            const later = (await idsOf(store, type)).get(`${secret} sha256`);
            // Not brought in where the first use had written the very digest.
            if (later === undefined) expect([type, twins, found?.id]).toEqual([UPGRADING, 1, first?.id]);
            else expect(found?.id).toBe(later);
            await store.revoke(
              (how === 'by text' ? found?.id : (later ?? first?.id)) ?? '',
              'test',
              'leaked',
            );
            expect(await works(store, secret, type, clock.now)).toBe(false);
          }
        }
        const other = await open();
        for (const secret of secrets) expect(await works(other, secret, type, clock.now)).toBe(false);
      },
    );

    test('what its digest finds is never compared, however many begin alike', async () => {
      const { store, open } = await fresh();
      const known = 'upg_samestart-known';
      await store.import(
        Array.from({ length: 12 }, (_, n) => asBcrypt(UPGRADING, `upg_samestart-${n}`, { label: String(n) })),
      );
      await store.import([asSha256(UPGRADING, known, { label: 'known' })]);
      const one = await open();
      expect((await one.find(known, [UPGRADING]))?.label).toBe('known');
      expect(one.verifierCompleted()).toBe(0);
    });

    test('tokens that only begin alike are as many tokens, and none ends another', async () => {
      const { store, clock } = await fresh();
      const secrets = ['a', 'b', 'c'].map((end) => `upg_samestart-${end}`);
      await store.import(secrets.map((secret) => asBcrypt(UPGRADING, secret, { label: secret })));
      await store.import([asSha256(UPGRADING, 'upg_samestart-d', { label: 'upg_samestart-d' })]);
      for (const secret of [...secrets, 'upg_samestart-d'])
        expect((await store.find(secret, [UPGRADING]))?.label).toBe(secret);
      const ids = await idsOf(store, UPGRADING);
      await store.revoke(ids.get('upg_samestart-b') ?? '', 'test', null);
      const alive = [];
      for (const secret of secrets) alive.push(await works(store, secret, UPGRADING, clock.now));
      expect(alive).toEqual([true, false, true]);
    });
  });
}
