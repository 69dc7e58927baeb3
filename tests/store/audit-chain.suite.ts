/** What the chain of every audit must do, whatever database is under it: that it is one, and that who has no key cannot mend it. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { OpenTokens } from '../../store/tokens.ts';
import { fuzz } from '../support/fuzz.ts';
import { NOW, newToken, USER } from './token-types.ts';

/** What somebody who can write the database, and has no key, sees and does. */
export type Row = {
  id: string;
  at: number;
  actor: string;
  action: string;
  subject: string;
  detail: string;
  seq: number | null;
  mac: string | null;
};

export type ChainDatabase = {
  readonly open: (options: {
    now: () => number;
    auditKeys?: () => readonly KeyObject[];
  }) => Promise<OpenTokens>;
  /** In order of the chain; what is in none comes last. */
  readonly rows: () => Promise<Row[]>;
  /** These rows, and no others, are in the table afterwards. No constraint is in the way. */
  readonly replace: (rows: readonly Row[]) => Promise<void>;
  readonly remove: () => Promise<void>;
};

export const auditKey = (letter: string) => createSecretKey(Buffer.from(letter.repeat(40)));
export const KEY = auditKey('k');
const OTHER_KEY = auditKey('o');
const dayMs = 86_400_000;

export function describeAuditChain(name: string, createDatabase: () => Promise<ChainDatabase>): void {
  async function fresh(keys: readonly KeyObject[] = [KEY]) {
    const database = await createDatabase();
    const opened: OpenTokens[] = [];
    onTestFinished(async () => {
      for (const one of opened) await one.close();
      await database.remove();
    });
    const clock = { now: NOW };
    const open = async (known = keys) => {
      const store = await database.open({ now: () => clock.now, auditKeys: () => known });
      opened.push(store);
      return store;
    };
    return { database, store: await open(), open, clock };
  }

  const note = (store: OpenTokens, n: number) =>
    store.audit.record({ actor: 'test', action: 'pin.observe_failed', subject: `s${n}`, detail: { n } });

  async function notes(store: OpenTokens, count: number, clock: { now: number }) {
    for (let n = 0; n < count; n++) {
      await note(store, n);
      clock.now += 1000;
    }
  }

  describe(`the chain of the audit on ${name}`, () => {
    test('has every row of every change in it, however the change adds its rows', async () => {
      const { store, database } = await fresh();
      const of = { attributes: new Map([['project', 'p']]) };
      const { record } = await store.create(newToken(USER, of));
      await store.update(record.id, { label: 'x' }, 'test');
      await store.disable(record.id, 'test');
      await store.enable(record.id, 'test');
      await store.rotate(record.id, USER, 1000, 'test');
      await store.regenerate({ type: USER, ...of, scopes: null, label: 'l', graceMs: 0, by: 'test' });
      await store.endAll({ type: USER, ...of, by: 'test', reason: 'over' });
      await store.pins.pinFirst({ pin: 'app', subject: 'project=p' }, 'a', 'test');
      await store.pins.pinFirst({ pin: 'app', subject: 'project=p' }, 'b', 'test');
      await store.pins.change({ pin: 'app', subject: 'project=p' }, 'c', 'test', 'why "not" ü');
      await store.revoke(record.id, 'test', null);
      const rows = await database.rows();
      expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
      expect(rows.length).toBeGreaterThan(9);
      const last = rows.at(-1);
      expect(await store.audit.verify(null)).toEqual({
        rows: rows.length,
        first: { seq: 1, at: NOW },
        begun: null,
        head: { seq: rows.length, mac: last?.mac },
        unsealed: 0,
        flaw: null,
      });
      expect(await store.audit.head()).toEqual({ seq: rows.length, mac: last?.mac });
    });

    test('stays as it is on a dry run', async () => {
      const { store, database } = await fresh();
      const { record } = await store.create(newToken(USER));
      const before = await database.rows();
      await store.dry.tokens.revoke(record.id, 'test', null);
      await store.dry.pins.replace({ pin: 'app', subject: 'project=p' }, 'c', 'test', null);
      expect(await store.dry.audit.purge({ beforeMs: NOW + 1, by: 'test' })).toBe(1);
      expect(await database.rows()).toEqual(before);
      expect((await store.audit.verify(null)).flaw).toBeNull();
    });

    test('is one line, however many stores add to it at once', async () => {
      const { store, open } = await fresh();
      const stores = [store, await open(), await open()];
      await Promise.all(
        stores.flatMap((one, at) => Array.from({ length: 15 }, (_, n) => note(one, at * 100 + n))),
      );
      await Promise.all(stores.map((one) => one.create(newToken(USER))));
      expect(await store.audit.verify(null)).toMatchObject({ rows: 48, unsealed: 0, flaw: null });
    });

    test('whatever somebody without the key edits, removes, adds or swaps is found', async () => {
      const { store, database, clock } = await fresh();
      await notes(store, 12, clock);
      const whole = await database.rows();
      const at = fc.nat(whole.length - 1);
      const field = fc.constantFrom('id', 'at', 'actor', 'action', 'subject', 'detail', 'mac', 'seq');
      const tampering = fc.oneof(
        fc.record({ kind: fc.constant('edit' as const), at, field, text: fc.string({ minLength: 1 }) }),
        // The tail may be cut off: that is told by a head that was noted.
        fc.record({
          kind: fc.constant('remove' as const),
          at: fc.nat(whole.length - 2),
          renumber: fc.boolean(),
        }),
        fc.record({ kind: fc.constant('add' as const), at, seq: fc.constantFrom(null, 0, 1, 2), like: at }),
        fc.record({ kind: fc.constant('swap' as const), at, with: at, keepMac: fc.boolean() }),
      );
      await fc.assert(
        fc.asyncProperty(tampering, async (what) => {
          const rows = structuredClone(whole);
          tamper(rows, what);
          if (JSON.stringify(rows) === JSON.stringify(whole)) return;
          await database.replace(rows);
          expect((await store.audit.verify(null)).flaw?.code).toMatch(/^(changed|removed|added)$/);
        }),
        fuzz(25),
      );
      await database.replace(whole);
      expect((await store.audit.verify(null)).flaw).toBeNull();
    });

    test('says which row is wrong first, and what is wrong with it', async () => {
      const { store, database, clock } = await fresh();
      await notes(store, 6, clock);
      const whole = await database.rows();
      const judged = async (rows: Row[]) => {
        await database.replace(rows);
        const { flaw, rows: walked } = await store.audit.verify(null);
        return [flaw?.code, flaw?.seq, flaw?.id, walked];
      };
      const [, , third, fourth, fifth] = whole as [Row, Row, Row, Row, Row];
      const but = (row: Row, change: Partial<Row>) =>
        whole.map((one) => (one === row ? { ...one, ...change } : one));
      expect(await judged(but(third, { actor: 'x' }))).toEqual(['changed', 3, third.id, 2]);
      expect(await judged(whole.filter((one) => one !== third))).toEqual(['removed', 3, fourth.id, 2]);
      expect(await judged([...whole, { ...fifth, id: 'aud_z' }])).toEqual(['added', 5, 'aud_z', 5]);
      const stray = { ...fifth, id: 'aud_z', seq: null, mac: null };
      expect(await judged([...whole, stray])).toEqual(['added', null, 'aud_z', 6]);
    });

    test('is another one under another key, and one under any of the keys that are known', async () => {
      const { store, open, clock } = await fresh();
      await notes(store, 3, clock);
      const stranger = await open([OTHER_KEY]);
      expect((await stranger.audit.verify(null)).flaw).toMatchObject({ code: 'changed', seq: 1 });
      const next = await open([OTHER_KEY, KEY]);
      await notes(next, 3, clock);
      expect(await next.audit.verify(null)).toMatchObject({ rows: 6, flaw: null });
      expect((await store.audit.verify(null)).flaw).toMatchObject({ code: 'changed', seq: 4 });
    });

    test('whoever cuts off its end is told by a head that was noted before', async () => {
      const { store, database, clock } = await fresh();
      await notes(store, 5, clock);
      const head = await store.audit.head();
      const whole = await database.rows();
      await database.replace(whole.slice(0, 4));
      expect((await store.audit.verify(null)).flaw).toBeNull();
      expect((await store.audit.verify(head)).flaw).toEqual({ code: 'head_missing', seq: 5, id: null });
      await note(store, 6);
      expect((await store.audit.verify(null)).flaw).toBeNull();
      expect((await store.audit.verify(head)).flaw?.code).toBe('head_missing');
      await database.replace(whole);
      expect((await store.audit.verify(head)).flaw).toBeNull();
      await notes(store, 3, clock);
      expect((await store.audit.verify(head)).flaw).toBeNull();
      await database.replace([]);
      expect((await store.audit.verify(head)).flaw?.code).toBe('head_missing');
    });

    test('whoever takes the whole chain away has it begin anew, which shows when, and in a head of before', async () => {
      const { store, open, database, clock } = await fresh();
      await notes(store, 5, clock);
      const head = await store.audit.head();
      const whole = await database.rows();
      await database.replace(whole.map((row) => ({ ...row, actor: 'nobody', seq: null, mac: null })));
      expect((await store.audit.verify(null)).flaw?.code).toBe('not_begun');
      clock.now += dayMs;
      const next = await open();
      await note(next, 6);
      expect(await next.audit.verify(null)).toMatchObject({ rows: 7, flaw: null, begun: { seq: 6 } });
      expect((await next.audit.verify(head)).flaw?.code).toBe('head_missing');
    });

    test('rows without a chain are said to be in none; a key begins it with what is there', async () => {
      const { store, open, database, clock } = await fresh([]);
      await notes(store, 3, clock);
      const none = { rows: 0, first: null, begun: null, head: null, unsealed: 3 };
      expect(await store.audit.verify(null)).toEqual({
        ...none,
        flaw: { code: 'no_key', seq: null, id: null },
      });
      const keyed = await open([KEY]);
      clock.now += 1000;
      await note(keyed, 3);
      const whole = { rows: 5, begun: { seq: 4 }, unsealed: 0, flaw: null };
      expect(await keyed.audit.verify(null)).toMatchObject(whole);
      const actions = (await database.rows()).map(({ action }) => action);
      expect(actions.indexOf('audit.begin')).toBe(3);
      const begin = (await database.rows()).find(({ action }) => action === 'audit.begin');
      expect(JSON.parse(begin?.detail ?? '')).toEqual({ rows: 3 });
      // What somebody adds later is not made good.
      await note(store, 4);
      await note(keyed, 5);
      expect(await keyed.audit.verify(null)).toMatchObject({ rows: 6, unsealed: 1, flaw: { code: 'added' } });
    });
  });

  describe(`a purge of the audit on ${name}`, () => {
    test('takes the oldest rows, says so, and the chain goes on from there', async () => {
      const { store, database, clock } = await fresh();
      await notes(store, 10, clock);
      const whole = await database.rows();
      clock.now += 10 * dayMs;
      const cut = { beforeMs: NOW + 4000, by: 'me' };
      expect(await store.dry.audit.purge(cut)).toBe(4);
      expect(await store.audit.purge(cut)).toBe(4);
      const rows = await database.rows();
      expect(rows.map(({ seq }) => seq)).toEqual([5, 6, 7, 8, 9, 10, 11]);
      expect(rows.at(-1)).toMatchObject({ actor: 'me', action: 'audit.purge', subject: 'audit' });
      expect(JSON.parse(rows.at(-1)?.detail ?? '')).toEqual({
        before: NOW + 4000,
        first: 1,
        through: 4,
        mac: whole[3]?.mac,
      });
      expect(await store.audit.verify(null)).toMatchObject({ rows: 7, first: { seq: 5 }, flaw: null });
      const noted = (seq: number) => ({ seq, mac: whole[seq - 1]?.mac ?? '' });
      expect((await store.audit.verify(noted(4))).flaw).toBeNull();
      expect((await store.audit.verify(noted(5))).flaw).toBeNull();
      expect((await store.audit.verify(noted(3))).flaw?.code).toBe('head_purged');
      expect((await store.audit.verify({ ...noted(5), seq: 4 })).flaw?.code).toBe('head_missing');
      expect(await store.audit.purge(cut)).toBe(0);
      expect(await store.audit.purge({ beforeMs: clock.now, by: 'me' })).toBe(6);
      expect(await store.audit.verify(null)).toMatchObject({ rows: 2, first: { seq: 11 }, flaw: null });
    });

    test('cannot be made up: without its row, rows from the beginning are missing', async () => {
      const { store, database, clock } = await fresh();
      await notes(store, 10, clock);
      const whole = await database.rows();
      await database.replace(whole.slice(3));
      expect((await store.audit.verify(null)).flaw).toMatchObject({ code: 'removed', seq: 1 });
      const detail = JSON.stringify({ through: 3, mac: whole[2]?.mac });
      const fake = { id: 'aud_z', action: 'audit.purge', subject: 'audit', detail };
      const last = whole[9] as Row;
      for (const seq of [null, 11, 10]) {
        await database.replace([...whole.slice(3), { ...last, ...fake, seq }]);
        expect((await store.audit.verify(null)).flaw).not.toBeNull();
      }
      await database.replace([...whole.slice(3, 9), { ...last, ...fake, seq: 10 }]);
      expect((await store.audit.verify(null)).flaw).not.toBeNull();
    });

    test('takes rows that are in no chain too, by their age', async () => {
      const { store, clock } = await fresh([]);
      await notes(store, 5, clock);
      clock.now += dayMs;
      expect(await store.audit.purge({ beforeMs: NOW + 3000, by: 'me' })).toBe(3);
      const { entries } = await store.audit.list({ subject: null, after: null, limit: 100 });
      expect(entries.map(({ action }) => action)).toEqual([
        'pin.observe_failed',
        'pin.observe_failed',
        'audit.purge',
      ]);
      expect(entries.at(-1)?.detail).toEqual({ before: NOW + 3000, unsealed: 3 });
    });
  });
}

type Tampering =
  | { readonly kind: 'edit'; readonly at: number; readonly field: keyof Row; readonly text: string }
  | { readonly kind: 'remove'; readonly at: number; readonly renumber: boolean }
  | { readonly kind: 'add'; readonly at: number; readonly seq: number | null; readonly like: number }
  | { readonly kind: 'swap'; readonly at: number; readonly with: number; readonly keepMac: boolean };

function tamper(rows: Row[], what: Tampering): void {
  const row = rows[what.at] as Row;
  switch (what.kind) {
    case 'edit': {
      const text = what.text.replaceAll('\0', '0').toWellFormed();
      const value = what.field === 'at' || what.field === 'seq' ? 1_000_000 + text.length : text;
      Object.assign(row, { [what.field]: value });
      return;
    }
    case 'remove':
      rows.splice(what.at, 1);
      if (what.renumber) for (const one of rows.slice(what.at)) one.seq = (one.seq ?? 0) - 1;
      return;
    case 'add': {
      const like = rows[what.like] as Row;
      const seq = what.seq === null ? null : what.seq + (row.seq ?? 0);
      const id = `aud_${'Z'.repeat(25)}${what.seq ?? 9}`;
      // At the very end, and only there, an own mac is missing; a copied one never fits.
      rows.splice(what.at, 0, { ...like, id, seq });
      return;
    }
    case 'swap': {
      const other = rows[what.with] as Row;
      // A table has no order: what is swapped is what stands at two places of the chain.
      const [one, two] = [{ ...row }, { ...other }];
      Object.assign(row, two, { seq: one.seq }, what.keepMac ? { mac: one.mac } : {});
      Object.assign(other, one, { seq: two.seq }, what.keepMac ? { mac: two.mac } : {});
    }
  }
}
