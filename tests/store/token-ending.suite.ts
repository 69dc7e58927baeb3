/** What every TokenStore must do when asked which tokens end soon, whatever database is under it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TokenRecord } from '../../policy/token-types.ts';
import { type CreateDatabase, freshStore } from './token-database.ts';
import { dayMs, made } from './token-life-kit.ts';
import { PROJECT, USER } from './token-types.ts';

const endOf = ({ expiresAt, retireAt }: TokenRecord) => Math.min(expiresAt ?? Infinity, retireAt ?? Infinity);

export function describeEndingTokens(name: string, createDatabase: CreateDatabase): void {
  describe(`a token store on ${name}: tokens that end`, () => {
    test('are listed by when: those that expire or whose overlap ends, and are not revoked', async () => {
      const { store, clock } = await freshStore(createDatabase);
      const fates = fc.sample(
        fc.record({
          days: fc.option(fc.integer({ min: 1, max: 6 })),
          overlap: fc.option(fc.integer({ min: 1, max: 6 })),
          isRevoked: fc.boolean(),
        }),
        30,
      );
      for (const { days, overlap, isRevoked } of fates) {
        const expiresAt = days === null ? null : clock.now + days * dayMs;
        const { record } = await store.create({ ...made('p'), expiresAt });
        if (overlap !== null) await store.rotate(record.id, USER, overlap * dayMs, 'op');
        if (isRevoked) await store.revoke(record.id, 'op', null);
      }
      await store.create({ ...made('q', PROJECT), expiresAt: clock.now + dayMs });
      const { tokens: all } = await store.list({ limit: 1000 });
      for (const [from, to] of [
        [0, 0],
        [0, 1],
        [1, 3],
        [2, 2],
        [0, 9],
      ] as const) {
        const ends = { after: clock.now + from * dayMs, until: clock.now + to * dayMs };
        const due = all.filter(
          (one) => one.revokedAt === null && endOf(one) > ends.after && endOf(one) <= ends.until,
        );
        const listed = async (more = {}) => (await store.list({ ends, limit: 1000, ...more })).tokens;
        expect(await listed()).toEqual(due);
        expect(await listed({ rotated: true })).toEqual(due.filter(({ rotatedTo }) => rotatedTo !== null));
        expect(await listed({ type: PROJECT.name })).toEqual(due.filter(({ type }) => type === PROJECT.name));
        if (due.length > 1) {
          const page = await store.list({ ends, limit: 1 });
          expect(page.tokens).toEqual(due.slice(0, 1));
          expect(await listed({ after: page.next })).toEqual(due.slice(1));
        }
      }
    });
  });
}
