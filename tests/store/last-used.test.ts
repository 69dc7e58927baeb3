/** Uses are gathered, written rarely, and never lost to a failed write. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLastUsed } from '../../store/last-used.ts';

type Uses = readonly (readonly [string, number])[];

describe('last uses', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function gather(write: (uses: Uses) => Promise<void>) {
    const failures: unknown[] = [];
    return {
      failures,
      lastUsed: createLastUsed({ write, everyMs: 5_000, onFailure: (e) => failures.push(e) }),
    };
  }

  test('many uses of a token are one write, the latest, after the interval', async () => {
    const written: Uses[] = [];
    const { lastUsed } = gather(async (uses) => void written.push(uses));
    lastUsed.touch('a', 3);
    lastUsed.touch('a', 9);
    lastUsed.touch('a', 4);
    lastUsed.touch('b', 1);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toEqual([
      [
        ['a', 9],
        ['b', 1],
      ],
    ]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(written).toHaveLength(1);
    await lastUsed.close();
  });

  test('what failed is written with the next flush, unless a later use came', async () => {
    const written: Uses[] = [];
    let works = false;
    const { lastUsed, failures } = gather(async (uses) => {
      if (!works) throw new Error('locked');
      written.push(uses);
    });
    lastUsed.touch('a', 1);
    lastUsed.touch('b', 1);
    await lastUsed.flush();
    lastUsed.touch('a', 2);
    works = true;
    await lastUsed.flush();
    expect(new Map(written[0])).toEqual(
      new Map([
        ['a', 2],
        ['b', 1],
      ]),
    );
    expect(failures).toHaveLength(1);
    await lastUsed.close();
  });

  test('what is noted is known until it is written, on its way too', async () => {
    const gate = Promise.withResolvers<void>();
    let works = false;
    const { lastUsed } = gather(async () => {
      await gate.promise;
      if (!works) throw new Error('locked');
    });
    expect(lastUsed.latest('a')).toBeNull();
    lastUsed.touch('a', 7);
    expect(lastUsed.latest('a')).toBe(7);
    const flushing = lastUsed.flush();
    expect(lastUsed.latest('a')).toBe(7);
    lastUsed.touch('a', 8);
    expect(lastUsed.latest('a')).toBe(8);
    gate.resolve();
    await flushing;
    expect(lastUsed.latest('a')).toBe(8);
    works = true;
    await lastUsed.close();
    expect(lastUsed.latest('a')).toBeNull();
  });

  test('close writes what came while another flush was running', async () => {
    const written: Uses[] = [];
    const gate = Promise.withResolvers<void>();
    const { lastUsed } = gather(async (uses) => {
      await gate.promise;
      written.push(uses);
    });
    lastUsed.touch('a', 1);
    const flushing = lastUsed.flush();
    lastUsed.touch('b', 2);
    const closing = lastUsed.close();
    gate.resolve();
    await Promise.all([flushing, closing]);
    expect(written).toEqual([[['a', 1]], [['b', 2]]]);
  });
});
