/** What the audit of every TokenStore must tell of changes to tokens, whatever database is under it. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { importedToken, NOW, newToken, USER } from './token-types.ts';

const everything = { subject: null, after: null, limit: 1_000 };
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export function describeTokenAudit(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);

  describe(`the audit of tokens on ${name}`, () => {
    test('has one row for a create, one for a revoke, and none for a second revoke', async () => {
      const { store } = await fresh();
      const { record, plaintext } = await store.create(newToken(USER, { expiresAt: NOW + 1000 }));
      await store.revoke(record.id, 'operator', 'leaked');
      await store.revoke(record.id, 'another', null);
      await store.revoke('tok_none', 'another', null);
      const { entries } = await store.audit.list(everything);
      expect(entries).toMatchObject([
        {
          id: expect.stringMatching(/^aud_[0-9A-HJKMNP-TV-Z]{26}$/),
          at: NOW,
          actor: 'test',
          action: 'token.create',
          subject: record.id,
          detail: {
            ...{ type: 'user', label: 'build server', scopes: ['events:write'] },
            ...{ origins: ['https://app.example'], expires_at: NOW + 1000 },
          },
        },
        { actor: 'operator', action: 'token.revoke', subject: record.id, detail: { reason: 'leaked' } },
      ]);
      expect(entries).toHaveLength(2);
      expect(entries[0]?.detail).not.toHaveProperty('attributes');
      expect(JSON.stringify(entries)).not.toContain(plaintext.slice(12));
    });

    test('has one row for each chunk of an import that brought something, and counts what it brought', async () => {
      const { store } = await fresh();
      const rows = Array.from({ length: 700 }, (_, n) => importedToken(USER, { sha256: sha256(`usr_${n}`) }));
      await store.import(rows.slice(0, 100));
      await store.import(rows);
      await store.import(rows);
      const { entries } = await store.audit.list(everything);
      expect(entries.map(({ action, subject, detail }) => ({ action, subject, ...detail }))).toEqual([
        { action: 'token.import', subject: 'type=user', rows: 100, imported: 100 },
        { action: 'token.import', subject: 'type=user', rows: 500, imported: 400 },
        { action: 'token.import', subject: 'type=user', rows: 200, imported: 200 },
      ]);
    });

    test('of revokes at once by several stores, has the one that won', async () => {
      const { store, open, clock } = await fresh();
      const stores = [store, await open(), await open()];
      for (let round = 0; round < 10; round++) {
        const { record } = await store.create(newToken(USER));
        // Rows of several stores are in the order of their clocks.
        clock.now++;
        await Promise.all(stores.map((one, n) => one.revoke(record.id, `operator ${n}`, null)));
        const { entries } = await store.audit.list({ ...everything, subject: record.id });
        const winner = (await store.byId(record.id))?.revokedBy;
        expect(entries.map(({ action, actor }) => [action, actor])).toEqual([
          ['token.create', 'test'],
          ['token.revoke', winner],
        ]);
      }
    });

    test('is read from either end, a page at a time', async () => {
      const { store } = await fresh();
      const { record } = await store.create(newToken(USER));
      for (let n = 0; n < 6; n++) {
        const [subject, actor] = [n % 2 === 0 ? record.id : 'other', `op ${n}`];
        await store.audit.record({ actor, action: 'pin.observe_failed', subject, detail: {} });
      }
      for (const subject of [null, record.id]) {
        const { entries: upwards } = await store.audit.list({ ...everything, subject });
        const downwards = [];
        let after: string | null = null;
        do {
          const page = await store.audit.list({ subject, after, limit: 2, newestFirst: true });
          downwards.push(...page.entries);
          after = page.next;
        } while (after !== null);
        expect(downwards).toEqual(upwards.toReversed());
      }
    });

    test('takes what others have to say, and keeps it as it is', async () => {
      const { store } = await fresh();
      const event = { actor: 'tok_1', action: 'pin.observe_failed', subject: 'project=ü' } as const;
      await store.audit.record({ ...event, detail: { text: '"\\ \u2028', none: null, list: [1] } });
      expect((await store.audit.list({ ...everything, subject: event.subject })).entries).toMatchObject([
        { ...event, at: NOW, detail: { text: '"\\ \u2028', none: null, list: [1] } },
      ]);
      expect((await store.audit.list({ ...everything, subject: 'a\0b', after: 'a\0b' })).entries).toEqual([]);
    });
  });
}
