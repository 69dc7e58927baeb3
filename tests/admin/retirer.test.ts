/** Rotated tokens that are to end once they are quiet: never before, by one of any number of gateways. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createRetirer } from '../../gateway/admin/retirer.ts';
import { quietMs } from '../../policy/retire.ts';
import { StoreFault } from '../../store/fault.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { dayMs, made } from '../store/token-life-kit.ts';
import { NOW, USER } from '../store/token-types.ts';
import { policyOf } from '../support/policy.ts';

const retired = 30 * dayMs;

async function stage() {
  const path = join(temporaryFolder(), 'tokens.db');
  const clock = { now: NOW };
  const open = async () => {
    const store = await openSqliteTokens({ path, now: () => clock.now });
    onTestFinished(() => store.close());
    return store;
  };
  const store = await open();
  const told: string[] = [];
  const retirerOf = (tokens: OpenTokens) => {
    const retirer = createRetirer({
      tokens,
      policy: () => policyOf([USER]),
      now: () => clock.now,
      onRetired: ({ tokenId }) => told.push(tokenId),
      bug: (error) => {
        throw error;
      },
      everyMs: 1e9,
    });
    onTestFinished(() => retirer.close());
    return retirer;
  };
  const rotated = async (whenQuiet = true) => {
    const { record } = await store.create(made('p'));
    const rotation = await store.rotate(record.id, USER, retired, 'op', whenQuiet);
    if (rotation?.kind !== 'rotated') throw new Error('not rotated');
    return { old: record.id, successor: rotation.created.record.id };
  };
  const use = async (id: string) => {
    store.touch(id, clock.now);
    await store.flush();
  };
  return { path, clock, open, store, told, retirer: retirerOf(store), retirerOf, rotated, use };
}

describe('a token that is to end when it is quiet', () => {
  test('ends when its successor is in use and it was not for 25 hours: to the millisecond', async () => {
    const { clock, store, told, retirer, rotated, use } = await stage();
    const [{ old, successor }, unasked] = [await rotated(), await rotated(false)];
    await use(successor);
    await use(unasked.successor);
    clock.now += 3_600_000;
    await use(old);
    const quietAt = clock.now + quietMs;
    for (const now of [clock.now, quietAt - 1]) {
      clock.now = now;
      await retirer.look();
      expect(store.byId(old)).toMatchObject({ revokedAt: null, retireAt: NOW + retired });
    }
    clock.now = quietAt;
    await retirer.look();
    expect(store.byId(old)).toMatchObject({ revokedAt: null, retireAt: quietAt });
    const { entries } = await store.audit.list({ subject: old, after: null, limit: 9 });
    expect(entries.at(-1)).toMatchObject({
      actor: 'postern',
      action: 'token.retire',
      detail: { successor, reason: 'the new token is in use, and the old one was not for 25 hours' },
    });
    await retirer.look();
    expect(told).toEqual([old]);
    expect(store.byId(unasked.old)?.retireAt).toBe(NOW + retired);
  });

  test('works on while its successor was never used, is dead, or cannot be found', async () => {
    const { clock, store, told, retirer, rotated, use } = await stage();
    const [unused, revoked, disabled] = [await rotated(), await rotated(), await rotated()];
    for (const { successor } of [revoked, disabled]) await use(successor);
    await store.revoke(revoked.successor, 'op', null);
    await store.disable(disabled.successor, 'op');
    clock.now += 10 * dayMs;
    await retirer.look();
    expect(told).toEqual([]);
    await store.enable(disabled.successor, 'op');
    await use(unused.successor);
    await retirer.look();
    expect(told.toSorted()).toEqual([unused.old, disabled.old].toSorted());
  });

  test('that ended by a clock that was ahead lives again when it is right, until that time', async () => {
    const { clock, store, told, retirer, rotated, use } = await stage();
    const { old, successor } = await rotated();
    await use(successor);
    clock.now += quietMs;
    await retirer.look();
    expect(told).toEqual([old]);
    expect(store.byId(old)?.retireAt).toBe(NOW + quietMs);
    clock.now -= quietMs;
    expect(store.byId(old)).toMatchObject({ revokedAt: null, retireAt: NOW + quietMs });
  });

  test('ends once, however many gateways look', async () => {
    const { clock, open, store, told, retirerOf, rotated, use } = await stage();
    const { old, successor } = await rotated();
    await use(successor);
    clock.now += quietMs;
    const all = [store, await open(), await open()].map(retirerOf);
    await Promise.all(all.map((one) => one.look()));
    expect(told).toEqual([old]);
    const { entries } = await store.audit.list({ subject: old, after: null, limit: 9 });
    expect(entries.map(({ action, actor }) => `${action} ${actor}`)).toEqual([
      'token.create test',
      'token.rotate op',
      'token.retire postern',
    ]);
  });

  test('never ends while it was used in the 25 hours before, whatever happens', async () => {
    const { clock, store, retirer, rotated, use } = await stage();
    const step = fc.record({
      hours: fc.integer({ min: 0, max: 40 }),
      what: fc.constantFrom('old', 'new', 'look', 'look'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        const { old, successor } = await rotated();
        const madeAt = clock.now;
        let [oldUsed, newUsed]: (number | null)[] = [null, null];
        for (const { hours, what } of steps) {
          clock.now += hours * 3_600_000;
          const lives = () => (store.byId(old)?.retireAt ?? 0) > clock.now;
          const isAlive = lives();
          if (what === 'old' && isAlive) {
            await use(old);
            oldUsed = clock.now;
          } else if (what === 'new') {
            await use(successor);
            newUsed = clock.now;
          } else if (what === 'look') {
            await retirer.look();
            const isQuiet = clock.now - Math.max(oldUsed ?? 0, madeAt) >= quietMs && newUsed !== null;
            const isOver = clock.now >= madeAt + retired;
            const hasEnded = !lives();
            if (isAlive && hasEnded) expect(isQuiet).toBe(true);
            if (isAlive && isQuiet && !isOver) expect(hasEnded).toBe(true);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test('many are looked at, page by page', async () => {
    const { path, clock, store, told, retirer, rotated, use } = await stage();
    const { old } = await rotated();
    const last = await rotated();
    const file = new Database(path);
    const row = file.prepare('select * from tokens where id = ?').get(old) as Record<string, unknown>;
    const names = Object.keys(row);
    const token = file.prepare(`insert into tokens (${names}) values (${names.map((name) => `@${name}`)})`);
    const asked = file.prepare("insert into retirements values (?, ?, 0, 'op')");
    file.transaction(() => {
      for (let i = 0; i < 500; i++) {
        const id = `tok_0000000000${String(i).padStart(16, '0')}`;
        token.run({ ...row, id, digest: `of ${id}` });
        asked.run(id, row.rotated_to);
      }
    })();
    file.close();
    await use(last.successor);
    clock.now += quietMs;
    await retirer.look();
    expect(told).toEqual([last.old]);
    expect(await store.retirements.pending('')).toHaveLength(500);
  });
});

test('a store that cannot tell ends nothing, and is asked again', async () => {
  let asked = 0;
  const refuse = async () => {
    asked++;
    throw new StoreFault('store_unavailable', 'away');
  };
  const retirements = { pending: refuse, asked: refuse, retire: refuse, forgetEnded: refuse };
  const { store } = await stage();
  const retirer = createRetirer({
    tokens: { byIds: (ids) => store.byIds(ids), usage: store.usage, retirements },
    policy: () => policyOf([USER]),
    now: Date.now,
    onRetired: () => {},
    bug: (error) => {
      throw error;
    },
    everyMs: 5,
  });
  await expect.poll(() => asked).toBeGreaterThan(2);
  await retirer.close();
});
