/** What every TokenStore must do when tokens are looked for by attributes, and changed, whatever database is under it. */
import { describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../policy/token-types.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { auditOf, made, OTHER, of } from './token-life-kit.ts';
import { importedToken, NOW, newToken, USER } from './token-types.ts';

export function describeTokenChanges(name: string, createDatabase: CreateDatabase): void {
  const fresh = () => freshStore(createDatabase);

  describe(`a token store on ${name}: finding by attributes`, () => {
    test('a list holds those that have each value, of their type, in pages', async () => {
      const { store } = await fresh();
      const ids: string[] = [];
      for (const project of ['p', 'q', 'p', 'p']) ids.push((await store.create(made(project))).record.id);
      await store.create(made('p', OTHER));
      const [a, , c, d] = ids;
      const first = await store.list({ type: USER.name, attributes: of('p'), limit: 2 });
      expect(first.tokens.map(({ id }) => id)).toEqual([a, c]);
      const second = await store.list({
        type: USER.name,
        attributes: of('p'),
        limit: 2,
        after: first.next ?? '',
      });
      expect(second).toMatchObject({ tokens: [{ id: d }], next: null });
      expect((await store.list({ attributes: of('p'), limit: 10 })).tokens).toHaveLength(4);
      expect((await store.list({ attributes: new Map(), limit: 10 })).tokens).toHaveLength(5);
    });

    test('a list attribute is found by each of its values, and all that are asked must be there', async () => {
      const { store } = await fresh();
      const { record } = await store.create(newToken(USER));
      const found = async (...asked: [string, AttributeValue][]) =>
        (await store.list({ attributes: new Map(asked), limit: 10 })).tokens.map(({ id }) => id);
      expect(await found(['teams', 'a'])).toEqual([record.id]);
      expect(await found(['teams', ['b', 'a']], ['project', 'p-1'])).toEqual([record.id]);
      expect(await found(['teams', ['a', 'c']])).toEqual([]);
      expect(await found(['project', 'p-2'])).toEqual([]);
      expect(await found(['project', '["p-1"]'])).toEqual([]);
    });

    test('an imported token is found, and one that was skipped leaves nothing', async () => {
      const { store } = await fresh();
      const row = importedToken(USER, { sha256: 'a'.repeat(64) }, { attributes: of('p') });
      await store.import([row]);
      await store.import([{ ...row, attributes: of('q') }]);
      expect((await store.list({ attributes: of('p'), limit: 10 })).tokens).toHaveLength(1);
      expect((await store.list({ attributes: of('q'), limit: 10 })).tokens).toHaveLength(0);
    });
  });

  describe(`a token store on ${name}: changing`, () => {
    test('an update is seen by the next find of another store, and found by its new attributes', async () => {
      const { store, open } = await fresh();
      const other = await open();
      const { record, plaintext } = await store.create(newToken(USER));
      const change = {
        label: 'new',
        origins: ['https://b.example'],
        expiresAt: NOW + 5,
        attributes: of('q'),
      };
      const updated = await store.update(record.id, change, 'op');
      expect(updated).toEqual({ ...record, ...change, version: 2 });
      expect(await other.find(plaintext, [USER])).toEqual(updated);
      expect((await store.list({ attributes: of('p-1'), limit: 9 })).tokens).toEqual([]);
      expect((await store.list({ attributes: of('q'), limit: 9 })).tokens).toEqual([updated]);
      expect(await store.update(record.id, { expiresAt: null }, 'op')).toMatchObject({
        label: 'new',
        expiresAt: null,
      });
      expect((await auditOf(store, record.id)).map(({ action }) => action)).toEqual([
        'token.create',
        'token.update',
        'token.update',
      ]);
    });

    test('the audit says of attributes what it is told to, and else only that they changed', async () => {
      const { store } = await fresh();
      const { record } = await store.create(made('p'));
      const attributes = new Map([['project', 'SECRET']]);
      await store.update(record.id, { attributes }, 'op');
      const told = { attributes: { project: '(hidden)' }, without_secrets: true };
      await store.update(record.id, { attributes, told }, 'op');
      const details = (await auditOf(store, record.id)).slice(1).map(({ detail }) => detail);
      expect(details).toEqual([{ attributes: ['project'] }, told]);
    });

    test('of changes to what several have seen, one is made; the others leave nothing, nor a word in the audit', async () => {
      const { store, open, clock } = await fresh();
      const other = await open();
      const { record } = await store.create(made('p'));
      // Rows of several stores are in the order of their clocks.
      clock.now++;
      const saves = Array.from({ length: 12 }, (_, n) => {
        const attributes = new Map([['project', `p${n}`]]);
        const change = { label: `n${n}`, attributes, ifVersions: [record.version] };
        return (n % 2 === 0 ? store : other).update(record.id, change, `op${n}`);
      });
      const [winner, ...more] = (await Promise.all(saves)).flatMap((one, n) =>
        one === 'changed_since' ? [] : [{ n, one }],
      );
      expect(more).toEqual([]);
      const expected = { label: `n${winner?.n}`, version: 2, attributes: of(`p${winner?.n}`) };
      expect(winner?.one).toMatchObject(expected);
      expect(await store.byId(record.id)).toMatchObject(expected);
      for (const [n] of saves.entries()) {
        const { tokens } = await store.list({ attributes: of(`p${n}`), limit: 9 });
        expect(tokens.length).toBe(n === winner?.n ? 1 : 0);
      }
      const actors = (await auditOf(store, record.id)).slice(1).map(({ actor }) => actor);
      expect(actors).toEqual([`op${winner?.n}`]);
    });

    test('a change asks for one of several versions, or for none that there is', async () => {
      const { store } = await fresh();
      const { record } = await store.create(made('p'));
      const save = (ifVersions: readonly number[]) =>
        store.update(record.id, { label: 'new', ifVersions }, 'op');
      expect(await save([])).toBe('changed_since');
      expect(await save([2, 3])).toBe('changed_since');
      expect(await save([3, 1])).toMatchObject({ version: 2 });
      expect(await store.update('tok_none', { label: 'new', ifVersions: [1] }, 'op')).toBeNull();
      const revoked = await store.revoke(record.id, 'op', null);
      expect(await save([9])).toEqual(revoked);
      expect((await auditOf(store, record.id)).map(({ action }) => action)).toEqual([
        'token.create',
        'token.update',
        'token.revoke',
      ]);
    });

    test('a disabled token is disabled until it is enabled; doing it twice changes nothing', async () => {
      const { store, open } = await fresh();
      const other = await open();
      const { record, plaintext } = await store.create(made('p'));
      expect(await store.disable(record.id, 'op')).toEqual({ ...record, disabledAt: NOW, version: 2 });
      expect(await store.disable(record.id, 'op')).toMatchObject({ version: 2 });
      expect(await other.find(plaintext, [USER])).toMatchObject({ disabledAt: NOW });
      expect(await store.enable(record.id, 'op')).toEqual({ ...record, version: 3 });
      expect(await store.enable(record.id, 'op')).toMatchObject({ version: 3 });
      const actions = (await auditOf(store, record.id)).map(({ action }) => action);
      expect(actions).toEqual(['token.create', 'token.disable', 'token.enable']);
    });

    test('a revoked token stays as it is, and an unknown id is null', async () => {
      const { store } = await fresh();
      const { record } = await store.create(made('p'));
      const revoked = await store.revoke(record.id, 'op', null);
      const audited = await auditOf(store, record.id);
      expect(await store.update(record.id, { label: 'x', attributes: of('q') }, 'op')).toEqual(revoked);
      expect((await store.list({ attributes: of('p'), limit: 9 })).tokens).toEqual([revoked]);
      expect((await store.list({ attributes: of('q'), limit: 9 })).tokens).toEqual([]);
      expect(await store.disable(record.id, 'op')).toEqual(revoked);
      expect(await store.enable(record.id, 'op')).toEqual(revoked);
      expect(await auditOf(store, record.id)).toEqual(audited);
      const unknown = [store.update('tok_x', { label: 'x' }, 'op'), store.disable('tok_x', 'op')];
      expect(await Promise.all(unknown)).toEqual([null, null]);
    });
  });
}
