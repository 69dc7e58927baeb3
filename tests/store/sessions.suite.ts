/** What every session store does, whatever database is under it. */
import { describe, expect, test } from 'vitest';
import type { OpenTokens } from '../../store/tokens.ts';

/** A store in a database of the test's own. */
export type SessionsPlace = {
  readonly store: OpenTokens;
  /** All that the database holds of sessions, as text. */
  readonly dump: () => Promise<string>;
};

const minute = 60_000;
const start = Date.UTC(2026, 0, 1);

export function sessionsSuite(place: (now: () => number) => Promise<SessionsPlace>): void {
  describe('a session', () => {
    test('is found by its secret and by nothing else, and its secret is kept nowhere', async () => {
      const { store, dump } = await place(() => start);
      const { sessions } = store;
      const holder = { kind: 'operator', name: 'ada' } as const;
      const opened = await sessions.open({ holder, proof: 'p', address: '192.0.2.1', by: 'operator:ada' });
      expect(opened.secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
      expect(opened.record).toMatchObject({ holder, proof: 'p', address: '192.0.2.1', createdAt: start });
      expect(await sessions.find(opened.secret)).toStrictEqual(opened.record);
      expect(await sessions.byId(opened.record.id)).toStrictEqual(opened.record);
      for (const wrong of ['', 'x'.repeat(43), opened.record.id, opened.secret.toLowerCase()]) {
        expect(await sessions.find(wrong)).toBeNull();
      }
      expect(await sessions.byId('a\0b')).toBeNull();
      expect(await dump()).not.toContain(opened.secret);
    });

    test('is over after 30 minutes without a sign, and after 12 hours in any case, to the millisecond', async () => {
      let now = start;
      const { sessions } = (await place(() => now)).store;
      const holder = { kind: 'operator', name: 'clock' } as const;
      const { secret } = await sessions.open({ holder, proof: '', address: '', by: 'x' });
      now = start + 30 * minute - 1;
      expect(await sessions.find(secret)).not.toBeNull();
      now += 1;
      expect(await sessions.find(secret)).toBeNull();
      const second = await sessions.open({ holder, proof: '', address: '', by: 'x' });
      const opened = now;
      for (const end = opened + 12 * 60 * minute; now < end - 20 * minute; ) {
        now += 20 * minute;
        const found = await sessions.find(second.secret);
        if (found === null) throw new Error('it ended too early');
        await sessions.touch(found);
      }
      now = opened + 12 * 60 * minute - 1;
      expect(await sessions.find(second.secret)).not.toBeNull();
      now += 1;
      expect(await sessions.find(second.secret)).toBeNull();
    });

    test('is seen once a minute at most, and never backwards', async () => {
      let now = start;
      const { sessions } = (await place(() => now)).store;
      const holder = { kind: 'operator', name: 'seen' } as const;
      const { record, secret } = await sessions.open({ holder, proof: '', address: '', by: 'x' });
      now = start + minute - 1;
      await sessions.touch(record);
      expect((await sessions.find(secret))?.lastSeenAt).toBe(start);
      now = start + minute;
      await sessions.touch(record);
      expect((await sessions.find(secret))?.lastSeenAt).toBe(start + minute);
      now = start + 5 * minute;
      await sessions.touch(record);
      now = start + 4 * minute;
      await sessions.touch(record);
      expect((await sessions.find(secret))?.lastSeenAt).toBe(start + 5 * minute);
    });

    test('is ended once, with a row in the audit each for its beginning and its end', async () => {
      const { sessions, audit } = (await place(() => start)).store;
      const holder = { kind: 'token', name: 'tok_1' } as const;
      const { record, secret } = await sessions.open({
        holder,
        proof: '',
        address: '::1',
        by: 'token:tok_1',
      });
      expect(await sessions.end(record.id, 'operator:ada')).toBe(true);
      expect(await sessions.end(record.id, 'operator:ada')).toBe(false);
      expect(await sessions.find(secret)).toBeNull();
      const { entries } = await audit.list({ subject: record.id, after: null, limit: 10 });
      expect(entries.map(({ actor, action, detail }) => [actor, action, detail])).toEqual([
        ['token:tok_1', 'session.open', { address: '::1' }],
        ['operator:ada', 'session.end', {}],
      ]);
    });

    test('is the newest of twenty that one holder has; those of others stay', async () => {
      const { sessions } = (await place(() => start)).store;
      const other = { kind: 'token', name: 'many' } as const;
      const theirs = await sessions.open({ holder: other, proof: '', address: '', by: 'x' });
      const holder = { kind: 'operator', name: 'many' } as const;
      const all = [];
      for (let i = 0; i < 22; i++) all.push(await sessions.open({ holder, proof: '', address: '', by: 'x' }));
      const kept = (await sessions.list(holder)).map(({ id }) => id);
      expect(kept).toEqual(
        all
          .slice(2)
          .map(({ record }) => record.id)
          .reverse(),
      );
      expect(await sessions.find(all[1]?.secret ?? '')).toBeNull();
      expect(await sessions.find(theirs.secret)).not.toBeNull();
      expect((await sessions.list(null)).length).toBeGreaterThan(20);
    });
  });

  test('tokens are listed newest first where that is asked for, by type and attribute, in pages', async () => {
    const { store } = await place(() => start);
    const type = {
      name: 'newest',
      prefix: 'nw_',
      prefixes: ['nw_'],
      issue: { length: 30, alphabet: 'base62' },
      hash: { use: 'sha256' },
      sources: [{ kind: 'bearer' }],
      scopes: { grantable: ['a', 'b'] },
      attributes: new Map([['team', { required: false, list: false }]]),
    } as const;
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) {
      const attributes = new Map(i % 2 === 0 ? [['team', 'even']] : []);
      const token = {
        label: `${i}`,
        scopes: [],
        attributes,
        origins: [],
        expiresAt: null,
        createdBy: 'test',
      };
      ids.push((await store.create({ ...token, type })).record.id);
    }
    const pages = async (attributes?: ReadonlyMap<string, string>) => {
      const found: string[] = [];
      for (let after: string | null | undefined; after !== null; ) {
        const page = await store.list({
          type: 'newest',
          newestFirst: true,
          limit: 2,
          ...(after === undefined ? {} : { after }),
          ...(attributes === undefined ? {} : { attributes }),
        });
        found.push(...page.tokens.map(({ id }) => id));
        after = page.next;
      }
      return found;
    };
    expect(await pages()).toEqual([...ids].reverse());
    const even = ids.filter((_, index) => index % 2 === 0);
    expect(await pages(new Map([['team', 'even']]))).toEqual(even.reverse());
    const id = ids[0] ?? '';
    expect(await store.update(id, { scopes: ['b'] }, 'x')).toMatchObject({ scopes: ['b'], version: 2 });
  });
}
