/** Pins on PostgreSQL: all that is promised on SQLite, and what its transactions and its text add. */
import { expect, onTestFinished, test } from 'vitest';
import { emptiedDatabase } from './emptied-database.ts';
import { describePinStore } from './pins.suite.ts';
import { openPostgresTokens } from './postgres-tokens.ts';

const KEY = { pin: 'app', subject: 'project=prj_a' };
const everything = { subject: null, after: null, limit: 1_000 };

const createDatabase = emptiedDatabase();

describePinStore('PostgreSQL', async () => {
  const database = await createDatabase();
  return {
    open: (options) => openPostgresTokens(database.url, options),
    place: ['postgres', database.url],
    remove: database.drop,
  };
});

async function fresh() {
  const database = await createDatabase();
  const store = await openPostgresTokens(database.url);
  onTestFinished(async () => {
    await store.close();
    await database.drop();
  });
  return { pins: store.pins, audit: store.audit, database };
}

test('changes and first uses at once leave a chain: what one put is what the next found', async () => {
  const { pins, audit } = await fresh();
  await Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      n % 3 === 0
        ? pins.pinFirst(KEY, `first ${n}`, 'tok_1')
        : pins.change(KEY, n % 3 === 1 ? `value ${n}` : null, 'cli', null),
    ),
  );
  const { entries } = await audit.list(everything);
  const ends = new Map<unknown, number>();
  for (const { detail } of entries) {
    const { before = null, after, value } = detail;
    ends.set(before, (ends.get(before) ?? 0) - 1);
    const put = after === undefined ? value : after;
    ends.set(put, (ends.get(put) ?? 0) + 1);
  }
  // All cancel out but where it began, with nothing, and where it stands now.
  const now = (await pins.read(KEY))?.value ?? null;
  ends.set(null, (ends.get(null) ?? 0) + 1);
  ends.set(now, (ends.get(now) ?? 0) - 1);
  expect([...ends.values()].every((count) => count === 0)).toBe(true);
});

test('a value with a NUL is a fault and pins nothing; nothing is pinned under such a name', async () => {
  const { pins, audit } = await fresh();
  const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
  await expect(pins.pinFirst(KEY, 'a\0b', 'tok_1')).rejects.toEqual(fault);
  await expect(pins.change(KEY, 'a\0b', 'tok_1', null)).rejects.toEqual(fault);
  expect(await pins.read(KEY)).toBeNull();
  expect(await pins.read({ ...KEY, subject: 'a\0b' })).toBeNull();
  expect((await pins.list({ pin: 'a\0b', subject: null, after: null, limit: 1 })).pins).toEqual([]);
  expect((await audit.list(everything)).entries).toEqual([]);
});

test('what was opened to read only pins nothing', async () => {
  const { database } = await fresh();
  const reader = await openPostgresTokens(database.url, { readonly: true });
  onTestFinished(() => reader.close());
  await expect(reader.pins.pinFirst(KEY, 'one', 'tok_1')).rejects.toThrow(/opened to read only/);
  await expect(reader.pins.change(KEY, 'one', 'cli', null)).rejects.toThrow(/opened to read only/);
  expect(await reader.pins.read(KEY)).toBeNull();
});
