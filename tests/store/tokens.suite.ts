/** What every TokenStore must do, whatever database is under it. */
import { createHash } from 'node:crypto';
import { hashSync } from 'bcryptjs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeTokenAudit } from './audit.suite.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { bcryptRule, importedToken, NOW, newToken, PROJECT, UPGRADING, USER } from './token-types.ts';
import { describeBcryptRows } from './tokens-bcrypt.suite.ts';
import { describeTokenFormats } from './tokens-formats.suite.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export function describeTokenStore(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);

  describe(`a token store on ${name}: finding`, () => {
    test.each([USER, PROJECT, UPGRADING])(
      'a created $name token is found by its plaintext, whole',
      async (type) => {
        const { store } = await fresh();
        const { record, plaintext } = await store.create(newToken(type, { expiresAt: NOW + 5 }));
        expect(await store.find(plaintext, [type])).toStrictEqual(record);
        expect(record).toStrictEqual({
          id: expect.stringMatching(/^tok_[0-9A-HJKMNP-TV-Z]{26}$/),
          type: type.name,
          label: 'build server',
          preview: `${plaintext.slice(0, 8)}...`,
          scopes: ['events:write'],
          attributes: new Map<string, unknown>([
            ['project', 'p-1'],
            ['teams', ['a', 'b']],
          ]),
          origins: ['https://app.example'],
          externalId: null,
          createdAt: NOW,
          createdBy: 'test',
          notBefore: null,
          expiresAt: NOW + 5,
          lastUsedAt: null,
          rotatedTo: null,
          retireAt: null,
          disabledAt: null,
          revokedAt: null,
          revokedBy: null,
          revokedReason: null,
          version: 1,
        });
      },
    );

    test.each([USER, PROJECT])(
      'an unknown $name token, or a known one with another ending, is null',
      async (type) => {
        const { store } = await fresh();
        const { plaintext } = await store.create(newToken(type));
        const wrongEnd = plaintext.slice(0, -1) + (plaintext.endsWith('A') ? 'B' : 'A');
        expect(await store.find(wrongEnd, [type])).toBeNull();
        expect(await store.find(`${plaintext}A`, [type])).toBeNull();
        expect(await store.find(`${type.prefix}${'0'.repeat(32)}`, [type])).toBeNull();
      },
    );

    test.each([USER, PROJECT])('a $name token is not found as another type', async (type) => {
      const { store } = await fresh();
      const other = { ...type, name: 'other' };
      const { plaintext } = await store.create(newToken(type));
      expect(await store.find(plaintext, [other])).toBeNull();
      expect(await store.find(plaintext, [other, type])).toMatchObject({ type: type.name });
    });

    test('a token imported while an earlier look for it still runs is found at once', async () => {
      const { store } = await fresh();
      const plaintext = 'prj_abcdefgh0123456789';
      const row = (text: string, cost: number) =>
        importedToken(PROJECT, { bcrypt: hashSync(text, cost), lookup: text.slice(0, 12) });
      // Cost 10: the comparison with the neighbour must outlast the import.
      await store.import([row('prj_abcdefgh-another', 10)]);
      const earlier = store.find(plaintext, [PROJECT]);
      await expect.poll(() => store.verifierDepth(), { interval: 1 }).toBe(1);
      await store.import([row(plaintext, 4)]);
      expect(await store.find(plaintext, [PROJECT])).not.toBeNull();
      expect(await earlier).toBeNull();
    });

    test.each([USER, PROJECT])(
      'only a $name token that was found counts as verified before',
      async (type) => {
        const { store } = await fresh();
        const { plaintext } = await store.create(newToken(type));
        expect(store.verifiedBefore(plaintext)).toBe(false);
        await store.find(`${plaintext}x`, [type]);
        await store.find(plaintext, [type]);
        expect(store.verifiedBefore(plaintext)).toBe(true);
        expect(store.verifiedBefore(`${plaintext}x`)).toBe(false);
      },
    );

    test('after its first success an upgrading token is found by a new process at once', async () => {
      const { store, open } = await fresh();
      const { plaintext, record } = await store.create(newToken(UPGRADING));
      await store.find(plaintext, [UPGRADING]);
      await store.close();
      const later = await open();
      expect(await later.find(plaintext, [UPGRADING])).toStrictEqual(record);
      expect(later.verifierCompleted()).toBe(0);
    });
  });

  describeBcryptRows(name, createDatabase);
  describeTokenFormats(name, createDatabase);
  describeTokenAudit(name, createDatabase);

  describe(`a token store on ${name}: changing`, () => {
    test.each([USER, PROJECT])('a revoke is seen by the next find of any process ($name)', async (type) => {
      const { store, open, clock } = await fresh();
      const other = await open();
      const { plaintext, record } = await store.create(newToken(type));
      await other.find(plaintext, [type]);
      clock.now = NOW + 9;
      const revoked = await store.revoke(record.id, 'operator', 'leaked');
      expect(revoked).toStrictEqual({
        ...record,
        revokedAt: NOW + 9,
        revokedBy: 'operator',
        revokedReason: 'leaked',
        version: 2,
      });
      expect(await other.find(plaintext, [type])).toStrictEqual(revoked);
      expect(await store.find(plaintext, [type])).toStrictEqual(revoked);
    });

    // Cost 10: the comparison must outlast the commit of the revoke.
    test('a token revoked while bcrypt ran is returned as revoked', { retry: 2 }, async () => {
      const { store } = await fresh();
      const slow = { ...PROJECT, hash: { ...bcryptRule, cost: 10 } };
      const { plaintext, record } = await store.create(newToken(slow));
      const found = store.find(plaintext, [slow]);
      await store.revoke(record.id, 'operator', null);
      expect(await found).toMatchObject({ id: record.id, revokedBy: 'operator', version: 2 });
    });

    test('revoking twice keeps the first time, author and reason', async () => {
      const { store, clock } = await fresh();
      const { record } = await store.create(newToken(USER));
      const first = await store.revoke(record.id, 'first', 'why');
      clock.now += 60_000;
      expect(await store.revoke(record.id, 'second', null)).toStrictEqual(first);
    });

    test('revoking what is not there is null', async () => {
      const { store } = await fresh();
      expect(await store.revoke('tok_none', 'operator', null)).toBeNull();
      expect(await store.byId('tok_none')).toBeNull();
    });

    test('uses are written at close, the latest of each token, and never backwards', async () => {
      const { store, open } = await fresh();
      const { record } = await store.create(newToken(USER));
      store.touch(record.id, NOW + 20);
      store.touch(record.id, NOW + 10);
      await store.close();
      const later = await open();
      expect(await later.byId(record.id)).toStrictEqual({ ...record, lastUsedAt: NOW + 20 });
      later.touch(record.id, NOW + 15);
      await later.close();
      expect((await (await open()).byId(record.id))?.lastUsedAt).toBe(NOW + 20);
    });

    test('names and values that look like code are kept as they are', async () => {
      const { store } = await fresh();
      const odd = {
        label: `Robert'); drop table tokens;--`,
        attributes: new Map([
          ['__proto__', '"'],
          ['constructor', '\u0000\u2028'],
        ]),
      };
      const { record } = await store.create(newToken(USER, odd));
      expect(await store.byId(record.id)).toMatchObject(odd);
    });
  });

  describe(`a token store on ${name}: listing`, () => {
    test('pages follow the order of creation and end with null', async () => {
      const { store } = await fresh();
      const ids: string[] = [];
      for (let n = 0; n < 5; n++) ids.push((await store.create(newToken(USER))).record.id);
      const first = await store.list({ limit: 2 });
      const second = await store.list({ limit: 2, after: first.next ?? '' });
      const third = await store.list({ limit: 2, after: second.next ?? '' });
      const pages = [first, second, third].map((page) => page.tokens.map((token) => token.id));
      expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
      expect(third.next).toBeNull();
      expect((await store.list({ limit: 5 })).next).toBeNull();
    });

    test('a type may be asked for', async () => {
      const { store } = await fresh();
      await store.create(newToken(USER));
      const { record } = await store.create(newToken(PROJECT));
      expect(await store.list({ type: 'project', limit: 10 })).toStrictEqual({
        tokens: [record],
        next: null,
      });
    });
  });

  describe(`a token store on ${name}: importing`, () => {
    test('an imported token is found, with its own times and external id', async () => {
      const { store } = await fresh();
      const row = importedToken(
        USER,
        { sha256: sha256('usr_old').toUpperCase() },
        { externalId: '17', createdAt: 1_000, expiresAt: 2_000, scopes: ['events:read'] },
      );
      expect(await store.import([row])).toEqual({ imported: 1, skipped: 0 });
      expect(await store.find('usr_old', [USER])).toMatchObject({
        externalId: '17',
        createdAt: 1_000,
        expiresAt: 2_000,
        scopes: ['events:read'],
        preview: 'usr_...',
      });
    });

    test('importing more than a chunk, twice, adds each row once', async () => {
      const { store } = await fresh();
      const digests = Array.from({ length: 1_201 }, (_, n) =>
        importedToken(USER, { sha256: sha256(`usr_${n}`) }),
      );
      const hashed = importedToken(PROJECT, { bcrypt: hashSync('prj_abcdefgh', 4), lookup: 'prj_abcdefgh' });
      const rows = [...digests, hashed];
      expect(await store.import(rows)).toEqual({ imported: 1_202, skipped: 0 });
      expect(await store.import(rows)).toEqual({ imported: 0, skipped: 1_202 });
    });

    test('on trial it says what it would come to, over all its chunks, and leaves nothing', async () => {
      const { store } = await fresh();
      const few = fc.integer({ min: 0, max: 7 });
      const row = fc.record({ secret: few, externalId: fc.option(few), isHashed: fc.boolean() });
      const chunks = fc.array(fc.array(row, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });
      const left = async () => (await store.audit.list({ subject: null, after: null, limit: 1000 })).entries;
      let runs = 0;
      const outcome = fc.asyncProperty(fc.integer({ min: 0, max: 3 }), chunks, async (there, made) => {
        const run = ++runs;
        const hashes = Array.from({ length: 8 }, (_, n) => hashSync(`prj_abcdefgh${run}-${n}`, 4));
        const parts = made.map((part) =>
          part.map(({ secret, externalId, isHashed }) =>
            importedToken(
              isHashed ? PROJECT : USER,
              isHashed
                ? { bcrypt: hashes[secret] ?? '', lookup: 'prj_abcdefgh' }
                : { sha256: sha256(`usr_${run}-${secret}`) },
              { externalId: externalId === null ? null : `${run}-${externalId}` },
            ),
          ),
        );
        for (const part of parts.slice(parts.length - there)) await store.import(part.slice(0, 2));
        const before = await left();
        const told: unknown[] = [];
        const trial = store.dry.startImport();
        for (const part of parts) told.push(await trial(part));
        expect(await left()).toEqual(before);
        const came: unknown[] = [];
        for (const part of parts) came.push(await store.import(part));
        expect(told).toEqual(came);
      });
      await fc.assert(outcome, { numRuns: 15 });
    });

    test('an external id is unique within its type only', async () => {
      const { store } = await fresh();
      const row = (type: typeof USER, text: string) =>
        importedToken(type, { sha256: sha256(text) }, { externalId: '17' });
      const rows = [row(USER, 'a'), row(USER, 'b'), row({ ...USER, name: 'other' }, 'c')];
      expect(await store.import(rows)).toEqual({ imported: 2, skipped: 1 });
    });

    test.each([
      ['a short digest', { sha256: 'abc' }],
      ['a hash of another kind', { bcrypt: '$argon2id$v=19$m=1', lookup: 'prj_abcdefgh' }],
      ['a lookup of another length', { bcrypt: hashSync('prj_abcdefgh', 4), lookup: 'prj_' }],
    ])('%s is refused and nothing of its batch is imported', async (_, hash) => {
      const { store } = await fresh();
      const good = importedToken(USER, { sha256: sha256('usr_good') });
      await expect(store.import([good, importedToken(PROJECT, hash)])).rejects.toThrow(TypeError);
      expect((await store.list({ limit: 1 })).tokens).toEqual([]);
    });
  });

  describe(`a token store on ${name}: when it is closed`, () => {
    test('it cannot tell, and says so', async () => {
      const { store } = await fresh();
      const { plaintext, record } = await store.create(newToken(USER));
      expect(store.health()).toEqual({ ok: true, reason: null });
      await store.close();
      await store.close();
      const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
      await expect((async () => store.find(plaintext, [USER]))()).rejects.toThrow(fault);
      await expect((async () => store.byId(record.id))()).rejects.toThrow(fault);
      await expect(store.revoke(record.id, 'operator', null)).rejects.toEqual(fault);
      expect(store.health().ok).toBe(false);
    });
  });
}
