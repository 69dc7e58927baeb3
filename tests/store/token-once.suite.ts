/** What a token store promises of tokens that are made once under a key, and of changes that are only tried. */
import { describe, expect, test } from 'vitest';
import { OnceTaken } from '../../store/once.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { auditOf, dayMs, made, regeneration } from './token-life-kit.ts';
import { USER } from './token-types.ts';

const KEY = { caller: 'tok_1', keyDigest: 'k', requestDigest: 'r' };

export function describeTokenOnce(name: string, createDatabase: CreateDatabase): void {
  describe(`a key on ${name}`, () => {
    test('lets one of many tries make a token, in however many processes', async () => {
      const { store, open } = await freshStore(createDatabase);
      const stores = [store, await open(), store, await open(), store];
      const tries = await Promise.allSettled(stores.map((one) => one.once.writes(KEY).create(made('p'))));
      const done = tries.filter(({ status }) => status === 'fulfilled');
      expect(done).toHaveLength(1);
      for (const one of tries) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(OnceTaken);
      const { tokens } = await store.list({ limit: 10 });
      expect(tokens).toHaveLength(1);
      expect(await store.once.done(KEY)).toEqual({ requestDigest: 'r', id: tokens[0]?.id, replaced: [] });
      expect(await auditOf(store, tokens[0]?.id ?? '')).toHaveLength(1);
    });

    test('leaves nothing of a try that came too late', async () => {
      const { store } = await freshStore(createDatabase);
      const { record } = await store.once.writes(KEY).create(made('p'));
      const writes = store.once.writes({ ...KEY, requestDigest: 'other' });
      await expect(writes.regenerate(regeneration('p'))).rejects.toThrow(OnceTaken);
      await expect(writes.rotate(record.id, USER, 0, 'test')).rejects.toThrow(OnceTaken);
      expect(await store.byId(record.id)).toStrictEqual(record);
    });

    test('is free again where nothing was made', async () => {
      const { store } = await freshStore(createDatabase);
      const { record } = await store.create(made('p'));
      await store.disable(record.id, 'test');
      const refused = await store.once.writes(KEY).rotate(record.id, USER, 0, 'test');
      expect(refused?.kind).toBe('refused');
      expect(await store.once.writes(KEY).rotate('tok_none', USER, 0, 'test')).toBeNull();
      expect(await store.once.done(KEY)).toBeNull();
      await store.enable(record.id, 'test');
      expect((await store.once.writes(KEY).rotate(record.id, USER, 0, 'test'))?.kind).toBe('rotated');
      expect(await store.once.done(KEY)).toMatchObject({ replaced: [record.id] });
    });

    test("is its caller's own, and is forgotten after a day", async () => {
      const { store, clock } = await freshStore(createDatabase);
      await store.once.writes(KEY).create(made('p'));
      await store.once.writes({ ...KEY, caller: 'tok_2' }).create(made('p'));
      clock.now += dayMs - 1;
      await expect(store.once.writes(KEY).create(made('p'))).rejects.toThrow(OnceTaken);
      clock.now += 1;
      expect(await store.once.done(KEY)).toBeNull();
      const { record } = await store.once.writes(KEY).create(made('p'));
      expect(await store.once.done(KEY)).toMatchObject({ id: record.id });
    });
  });

  test(`a change that is only tried on ${name} answers what would be, and leaves nothing`, async () => {
    const { store } = await freshStore(createDatabase);
    const { record } = await store.create(made('p'));
    const { tokens, pins, probes } = store.dry;
    expect((await tokens.create(made('q'))).record.attributes.get('project')).toBe('q');
    expect((await tokens.revoke(record.id, 'test', null))?.revokedAt).not.toBeNull();
    expect(await tokens.rotate(record.id, USER, 0, 'test')).toMatchObject({ kind: 'rotated' });
    expect((await tokens.regenerate(regeneration('p'))).replaced).toEqual([record.id]);
    expect(await tokens.update(record.id, { label: 'x' }, 'test')).toMatchObject({ label: 'x' });
    expect(await tokens.disable('tok_none', 'test')).toBeNull();
    const key = { pin: 'app', subject: 'project=p' };
    expect((await pins.replace(key, 'com.a', 'test', null)).now?.value).toBe('com.a');
    const activation = { type: 'probe', subject: 'p', labelPattern: 'x', service: '*', environment: '*' };
    const lives = { lifeMs: 60_000, triggerLifeMs: 60_000, by: 'test' };
    expect(await probes.activate({ ...activation, ...lives }, 1)).not.toBeNull();
    expect(await store.list({ limit: 10 })).toEqual({ tokens: [record], next: null });
    expect(await store.pins.list({ pin: null, subject: null, after: null, limit: 10 })).toEqual({
      pins: [],
      next: null,
    });
    const { entries } = await store.audit.list({ subject: null, after: null, limit: 10 });
    expect(entries.map(({ action }) => action)).toEqual(['token.create']);
    expect(
      (await store.probes.list({ type: 'probe', subject: 'p', after: null, limit: 9 })).activations,
    ).toEqual([]);
  });
}
