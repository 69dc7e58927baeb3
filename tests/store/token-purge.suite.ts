/** What purge of every TokenStore must do, whatever database is under it: only what ended long ago goes, and never comes back. */
import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { TokenType } from '../../policy/token-types.ts';
import type { ImportedToken } from '../../store/token-store.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { patiently } from '../support/busy.ts';
import { fuzz } from '../support/fuzz.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { auditOf, isAlive, learning, OTHER } from './token-life-kit.ts';
import {
  importedToken,
  MOVING,
  NOW,
  newToken,
  PEPPERED,
  PIPED,
  PROJECT,
  tokenType,
  UPGRADING,
  USER,
} from './token-types.ts';

const dayMs = 86_400_000;
const everything = { type: null, attributes: new Map() };

/** What a purge says. */
const went = (purged: number, leftOut = {}) => ({ purged, leftOut: { alike: 0, peppered: 0, ...leftOut } });

async function all(store: OpenTokens) {
  const found = [];
  for await (const page of store.kept(everything)) found.push(...page);
  return found;
}

/** Kept elsewhere, as an export of this store has it. */
async function exported(store: OpenTokens, id: string, type: TokenType): Promise<ImportedToken> {
  const kept = (await all(store)).find(({ record }) => record.id === id);
  if (kept === undefined) throw new Error(`no ${id}`);
  const { record, digest, bcrypt, lookup } = kept;
  const hash =
    bcrypt === null || lookup === null ? { sha256: (digest ?? '').replace('r:', '') } : { bcrypt, lookup };
  return importedToken(type, hash, { externalId: record.externalId });
}

export function describeTokenPurge(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);
  const purge = (endedBeforeMs: number, but: readonly string[] = []) => ({ endedBeforeMs, but, by: 'test' });

  describe(`a purge of tokens on ${name}`, () => {
    test('takes what ended before, with all that belongs to it, and says how many', async () => {
      const { store, clock } = await fresh();
      const { record: gone } = await store.create(newToken(USER));
      const { record: stays } = await store.create(newToken(USER));
      const { record: other } = await store.create(newToken(OTHER));
      const count = { minuteMs: NOW, route: 'r', passed: 1, refused: 0, failed: 0 };
      const use = { at: NOW, address: '::1', route: 'r' };
      const ids = [gone.id, stays.id];
      await store.usage.add(
        ids.map((tokenId) => ({ ...count, tokenId })),
        ids.map((tokenId) => ({ ...use, tokenId })),
      );
      const place = { kind: 'network', value: '192.0.2.0/24', at: NOW } as const;
      await store.sightings.add(
        ids.map((tokenId) => ({ ...place, tokenId })),
        [],
        10,
      );
      for (const id of ids) await store.pins.pinFirst({ pin: 'app', subject: `token=${id}` }, 'a', id);
      await store.pins.pinFirst({ pin: 'app', subject: 'project=p' }, 'a', gone.id);
      await store.revoke(gone.id, 'test', null);
      await store.revoke(other.id, 'test', null);
      clock.now += 10 * dayMs;
      expect(await store.purge(purge(NOW))).toEqual(went(0));
      expect(await store.dry.tokens.purge(purge(NOW + 1))).toEqual(went(2));
      expect(await store.byId(gone.id)).not.toBeNull();
      expect(await store.purge(purge(NOW + 1, ['other']))).toEqual(went(1));
      expect(await store.purge(purge(NOW + 1, ['other']))).toEqual(went(0));
      expect(await store.byId(gone.id)).toBeNull();
      expect((await all(store)).map(({ record }) => record.id)).toEqual([stays.id, other.id]);
      const filter = { sinceMs: NOW - dayMs, bucket: 'hour', by: 'token', limit: 10, tokenId: null } as const;
      expect((await store.usage.sums(filter)).map(({ key }) => key)).toEqual([stays.id]);
      expect((await store.usage.lastUses(ids)).map(({ tokenId }) => tokenId)).toEqual([stays.id]);
      expect((await store.sightings.newcomers(10)).map(({ tokenId }) => tokenId)).toEqual([stays.id]);
      const { pins } = await store.pins.list({ pin: null, subject: null, after: null, limit: 10 });
      expect(pins.map(({ subject }) => subject)).toEqual(['project=p', `token=${stays.id}`]);
      const attributes = new Map([['project', 'p-1']]);
      expect((await store.list({ attributes, limit: 10 })).tokens.map(({ id }) => id)).toEqual([
        stays.id,
        other.id,
      ]);
      expect((await auditOf(store, gone.id)).map(({ action }) => action)).toEqual([
        'token.create',
        'token.revoke',
      ]);
      const detail = { ended_before: NOW + 1, purged: 1, left_out: { alike: 0, peppered: 0 } };
      expect(await auditOf(store, 'tokens')).toEqual([{ action: 'token.purge', actor: 'test', detail }]);
    });

    test('whatever lives, or ended later, stays', async () => {
      const { store, clock } = await fresh();
      const day = fc.integer({ min: -40, max: 40 });
      const life = fc.record({
        expires: fc.option(day),
        revoked: fc.option(fc.integer({ min: -40, max: 0 })),
        retires: fc.option(day),
        disabled: fc.boolean(),
      });
      let serial = 0;
      const at = (days: number | null) => (days === null ? null : NOW + days * dayMs);
      await fc.assert(
        fc.asyncProperty(
          fc.array(life, { maxLength: 12 }),
          fc.integer({ min: 1, max: 30 }),
          async (lives, ago) => {
            await store.import(
              lives.map(({ expires, revoked, retires, disabled }) =>
                importedToken(
                  USER,
                  { sha256: createHash('sha256').update(`t${serial++}`).digest('hex') },
                  {
                    expiresAt: at(expires),
                    life: {
                      lastUsedAt: null,
                      retireAt: at(retires),
                      disabledAt: disabled ? NOW : null,
                      revokedAt: at(revoked),
                      revokedReason: null,
                    },
                  },
                ),
              ),
            );
            const before = (await all(store)).map(({ record }) => record);
            const cut = clock.now - ago * dayMs;
            const { purged } = await store.purge(purge(cut));
            const left = new Set((await all(store)).map(({ record }) => record.id));
            for (const record of before) {
              const ends = [record.revokedAt, record.expiresAt, record.retireAt].filter(
                (end) => end !== null,
              );
              const isDue = Math.min(...ends, Number.POSITIVE_INFINITY) < cut;
              expect(left.has(record.id)).toBe(!isDue);
              if (isAlive(record, clock.now)) expect(isDue).toBe(false);
            }
            expect(purged).toBe(before.length - left.size);
          },
        ),
        fuzz(15),
      );
    });

    test('nothing that was purged is imported or learned again', async () => {
      const { store, clock } = await fresh();
      for (const type of [USER, PIPED, PROJECT, UPGRADING]) {
        const { record, plaintext } = await store.create(newToken(type));
        await store.find(plaintext, [type]);
        const row = await exported(store, record.id, type);
        const fresh = await store.create(newToken(type));
        const other = await exported(store, fresh.record.id, type);
        await store.revoke(record.id, 'test', null);
        await store.revoke(fresh.record.id, 'test', null);
        clock.now += dayMs;
        expect(await store.purge(purge(clock.now))).toEqual(went(2));
        const more = importedToken(USER, {
          sha256: createHash('sha256').update(type.name).digest('hex'),
        });
        expect([type.name, await store.import([row, other, more])]).toEqual([
          type.name,
          { imported: 1, skipped: 2 },
        ]);
        expect(await store.find(plaintext, [type])).toBeNull();
        if (type === PROJECT) continue;
        const learned = learning(type, { plaintext, insteadOf: new Map([['project', 'p']]) });
        const { record: lives } = await store.create(newToken(type, { attributes: learned.attributes }));
        expect(await store.learn(learned)).toEqual({ kind: 'taken' });
        expect((await store.byId(lives.id))?.revokedAt).toBeNull();
        expect(await store.find(plaintext, [type])).toBeNull();
      }
    });

    test('a twin under another pepper, or none, does not come to life by the purge of the one before it', async () => {
      const [newer, older] = ['a newer pepper of this test', 'an older pepper of this test'];
      const moved: TokenType = {
        ...tokenType('moved', '', { use: 'sha256', pepper: 'or_none' }),
        format: 'id_pipe_random',
      };
      const peppers = new Map([
        [MOVING.name, [newer, null]],
        [PEPPERED.name, [newer, older]],
        [moved.name, [newer, null]],
      ]);
      const { store, open, clock } = await freshStore(createDatabase, peppers);
      const sha256 = createHash('sha256').update('brought from elsewhere').digest('hex');
      const digest = createHmac('sha256', older).update('brought later').digest('hex');
      const rows = [
        importedToken(MOVING, { sha256 }),
        importedToken(PEPPERED, { digest }),
        importedToken(moved, { sha256 }, { externalId: '7' }),
      ];
      expect((await store.import(rows)).imported).toBe(3);
      const shown = [
        [MOVING, 'brought from elsewhere'],
        [PEPPERED, 'brought later'],
        [moved, '7|brought from elsewhere'],
      ] as const;
      for (const [type, plaintext] of shown) {
        const record = await store.find(plaintext, [type]);
        await vi.waitFor(async () => {
          const kept = (await all(store)).find((one) => one.record.id === record?.id);
          expect([sha256, digest, `r:${sha256}`]).not.toContain(kept?.digest);
        }, patiently);
        await store.revoke(record?.id ?? '', 'test', null);
      }
      await store.import(rows);
      clock.now += dayMs;
      expect(await store.purge(purge(clock.now))).toEqual(went(1, { peppered: 2 }));
      await store.import(rows);
      for (const [type, plaintext] of shown) {
        const found = await store.find(plaintext, [type]);
        expect([type.name, found === null || found.revokedAt !== null]).toEqual([type.name, true]);
      }
      const turned = await open(new Map([...peppers].map(([type]) => [type, [newer]])));
      expect(await turned.purge(purge(clock.now))).toEqual(went(2));
      for (const [type, plaintext] of shown) expect(await turned.find(plaintext, [type])).toBeNull();
    });

    test('one of several at once takes each, and 1,100 go in three chunks', async () => {
      const { store, open, clock } = await fresh();
      const rows = Array.from({ length: 1_100 }, (_, n) =>
        importedToken(
          USER,
          { sha256: createHash('sha256').update(`m${n}`).digest('hex') },
          { expiresAt: NOW - 1 },
        ),
      );
      await store.import(rows);
      clock.now += dayMs;
      const stores = [store, await open(), await open()];
      const purged = await Promise.all(stores.map((one) => one.purge(purge(NOW))));
      expect(purged.reduce((sum, one) => sum + one.purged, 0)).toBe(1_100);
      const told = await auditOf(store, 'tokens');
      const sum = told.reduce((count, { detail }) => count + Number(detail.purged), 0);
      expect([sum, told.length >= 3]).toEqual([1_100, true]);
      expect(await store.import(rows.slice(0, 600))).toEqual({ imported: 0, skipped: 600 });
    });
  });
}
