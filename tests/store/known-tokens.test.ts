/** What is known of a token is served only while the database cannot be reached, and never for longer than allowed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TokenRecord } from '../../policy/token-types.ts';
import { StoreFault, StoreUnreachable } from '../../store/fault.ts';
import { createKnownTokens } from '../../store/known-tokens.ts';
import { fuzz } from '../support/fuzz.ts';
import { PROJECT, USER } from './token-types.ts';

const recordOf = (id: string, version: number) => ({ id, type: USER.name, version }) as TokenRecord;
const away = new StoreUnreachable('away');

const step = fc.record({
  key: fc.constantFrom('a', 'b'),
  by: fc.constantFrom('key', 'id'),
  passMs: fc.nat(40),
  takesMs: fc.nat(10),
  outcome: fc.constantFrom('found', 'none', 'away', 'fault'),
});

test('whatever happens, what is served in an outage was read within the time, and nothing newer was seen', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      let now = 0;
      let version = 0;
      const known = createKnownTokens(100, () => now);
      /** The latest that was read of each row, whichever way, and when it was asked for. */
      const presented = new Set<string>();
      const read = new Map<string, { readonly record: TokenRecord | null; readonly atMs: number }>();
      for (const { key, by, passMs, takesMs, outcome } of steps) {
        now += passMs;
        const askedMs = now;
        const record = outcome === 'found' ? recordOf(key, ++version) : null;
        const ask = async () => {
          now += takesMs;
          if (outcome === 'away') throw away;
          if (outcome === 'fault') throw new StoreFault('store_unavailable', 'too many');
          return record;
        };
        const listed = async () => [await ask()].filter((one) => one !== null);
        const answer = await (async () =>
          by === 'key'
            ? known.through(`token ${key}`, [USER], ask)
            : ((await known.throughIds([key], listed))[0] ?? null))().catch((error: Error) => error);
        const last = read.get(key);
        if (outcome === 'fault') expect(answer).not.toBeInstanceOf(StoreUnreachable);
        if (outcome === 'fault') expect(answer).toBeInstanceOf(StoreFault);
        if (outcome === 'found' || outcome === 'none') {
          expect(answer).toBe(record);
          if (record !== null || by === 'id') read.set(key, { record, atMs: askedMs });
          if (by === 'key' && record === null) presented.delete(key);
          if (by === 'key' && record !== null) presented.add(key);
        }
        if (outcome === 'away') {
          const named = by === 'id' || presented.has(key);
          const servable = named && last !== undefined && last.record !== null && now - last.atMs <= 100;
          expect(answer).toBe(servable ? last.record : away);
        }
      }
    }),
    fuzz(200),
  );
});

test('a record is not served where its type is not allowed', async () => {
  const known = createKnownTokens(1_000);
  await known.through('a', [USER], async () => recordOf('a', 1));
  const failing = () => Promise.reject(away);
  expect(await known.through('a', [PROJECT, USER], failing)).toMatchObject({ id: 'a' });
  await expect(known.through('a', [PROJECT], failing)).rejects.toBe(away);
});

test('a read that was slow does not bring back what a later one has replaced', async () => {
  let now = 0;
  const known = createKnownTokens(1_000, () => now);
  const slow = Promise.withResolvers<TokenRecord | null>();
  const first = known.through('a', [USER], () => slow.promise);
  now = 5;
  await known.through('a', [USER], async () => recordOf('a', 2));
  slow.resolve(recordOf('a', 1));
  await first;
  expect(await known.through('a', [USER], () => Promise.reject(away))).toMatchObject({ version: 2 });
});

test('the time left counts from the last read, and is 0 before the first', async () => {
  let now = 0;
  const known = createKnownTokens(100, () => now);
  expect(known.leftMs()).toBe(0);
  await known.through('a', [USER], async () => null);
  now = 60;
  expect(known.leftMs()).toBe(40);
  now = 200;
  expect(known.leftMs()).toBe(0);
});

test('what was seen revoked by its id is not served as it was by its token', async () => {
  const known = createKnownTokens(1_000);
  await known.through('a', [USER], async () => recordOf('tok_a', 1));
  await known.throughIds(['tok_a'], async () => [recordOf('tok_a', 2)]);
  const failing = () => Promise.reject(away);
  expect(await known.through('a', [USER], failing)).toMatchObject({ version: 2 });
  expect(await known.throughIds(['tok_a'], failing)).toMatchObject([{ version: 2 }]);
  await known.throughIds(['tok_a'], async () => []);
  await expect(known.through('a', [USER], failing)).rejects.toBe(away);
});

test('of several ids, all are known or none is', async () => {
  const known = createKnownTokens(1_000);
  await known.through('a', [USER], async () => recordOf('tok_a', 1));
  await expect(known.throughIds(['tok_a', 'tok_b'], () => Promise.reject(away))).rejects.toBe(away);
  await known.throughIds(['tok_a', 'tok_b'], async () => [recordOf('tok_b', 1), recordOf('tok_a', 1)]);
  const ids = ['tok_b', 'tok_a'];
  expect(await known.throughIds(ids, () => Promise.reject(away))).toMatchObject(ids.map((id) => ({ id })));
});

test('a canary is served no more than a token that nobody has made', async () => {
  const known = createKnownTokens(1_000);
  const canary: TokenRecord = { ...recordOf('a', 1), canary: true };
  expect(await known.through('a', [USER], async () => canary)).toBe(canary);
  await expect(known.through('a', [USER], () => Promise.reject(away))).rejects.toBe(away);
});
