/** Which url of an upstream takes the next request. */
import fc from 'fast-check';
import { Pool } from 'undici';
import { afterAll, describe, expect, test } from 'vitest';
import { Target, type TargetChange, Targets } from '../../gateway/targets.ts';

const pools: Pool[] = [];
afterAll(() => Promise.all(pools.map((pool) => pool.destroy())));

function targetsOf(count: number) {
  const clock = { ms: 0 };
  const changes: TargetChange[] = [];
  const all = Array.from({ length: count }, (_, i) => {
    const origin = `http://127.0.0.1:${9000 + i}`;
    const pool = new Pool(origin);
    pools.push(pool);
    return new Target(origin, '', pool);
  });
  const targets = new Targets(
    all,
    () => clock.ms,
    (change) => changes.push(change),
  );
  const [a, b, c] = all;
  if (a === undefined) throw new Error('no target');
  return { clock, changes, targets, all, a, b: b ?? a, c: c ?? a };
}

const fail = (targets: Targets, target: Target, times: number) => {
  for (let i = 0; i < times; i++) targets.failed(target, 'ECONNREFUSED');
};

describe('choosing', () => {
  test('the least busy takes the next request', () => {
    const { targets, a, b, c } = targetsOf(3);
    a.outstanding = 2;
    b.outstanding = 1;
    c.outstanding = 2;
    expect(targets.choose()).toBe(b);
  });

  test('those equally busy take turns', () => {
    const { targets, all } = targetsOf(3);
    const chosen = Array.from({ length: 9 }, () => targets.choose());
    for (const target of all) expect(chosen.filter((one) => one === target)).toHaveLength(3);
  });

  test('one that was tried is not chosen again, and when all were there is none', () => {
    const { targets, a, b } = targetsOf(2);
    expect(targets.choose([a])).toBe(b);
    expect(targets.choose([a, b])).toBeNull();
    const single = targetsOf(1);
    expect(single.targets.choose([single.a])).toBeNull();
  });

  test('any history: never one that was tried, and one that is out only where all others are', () => {
    const step = fc.record({
      index: fc.nat(3),
      what: fc.constantFrom('fail', 'succeed', 'sick', 'well', 'busy', 'done'),
      waitMs: fc.nat(10_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.subarray([0, 1, 2, 3]), (steps, triedIndexes) => {
        const { clock, targets, all } = targetsOf(4);
        for (const { index, what, waitMs } of steps) {
          const target = all[index];
          if (target === undefined) continue;
          clock.ms += waitMs;
          if (what === 'fail') targets.failed(target, 'x');
          if (what === 'succeed') targets.succeeded(target);
          if (what === 'sick') targets.checked(target, false, 'x');
          if (what === 'well') targets.checked(target, true, 'x');
          if (what === 'busy') target.outstanding++;
          if (what === 'done') target.outstanding = Math.max(0, target.outstanding - 1);
        }
        const tried = triedIndexes.flatMap((index) => all[index] ?? []);
        const rest = all.filter((target) => !tried.includes(target));
        const chosen = targets.choose(tried);
        expect(chosen === null).toBe(rest.length === 0);
        if (chosen === null) return;
        expect(rest).toContain(chosen);
        const inRest = rest.filter((target) => targets.isIn(target));
        const equals = inRest.length > 0 ? inRest : rest;
        expect(equals).toContain(chosen);
        expect(chosen.outstanding).toBe(Math.min(...equals.map(({ outstanding }) => outstanding)));
      }),
      { numRuns: 300 },
    );
  });
});

describe('leaving out', () => {
  test('two failures are bad luck, the third in a row leaves the url out for 5 s', () => {
    const { clock, targets, a, changes } = targetsOf(2);
    fail(targets, a, 2);
    expect(targets.isIn(a)).toBe(true);
    fail(targets, a, 1);
    expect(targets.isIn(a)).toBe(false);
    expect(changes).toEqual([{ origin: a.origin, up: false, reason: 'ECONNREFUSED; left out for 5 s' }]);
    clock.ms = 4999;
    expect(targets.isIn(a)).toBe(false);
    clock.ms = 5000;
    expect(targets.isIn(a)).toBe(true);
  });

  test('an answer in between starts the count anew', () => {
    const { targets, a } = targetsOf(2);
    fail(targets, a, 2);
    targets.succeeded(a);
    fail(targets, a, 2);
    expect(targets.isIn(a)).toBe(true);
  });

  test('failing again when its time is over doubles the time, up to a minute', () => {
    const { clock, targets, a } = targetsOf(2);
    fail(targets, a, 3);
    const times = [];
    for (let i = 0; i < 6; i++) {
      clock.ms = a.backAtMs;
      fail(targets, a, 1);
      times.push(a.backAtMs - clock.ms);
    }
    expect(times).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  test('what fails while it is out adds nothing', () => {
    const { clock, targets, a } = targetsOf(2);
    fail(targets, a, 20);
    expect(a.backAtMs).toBe(5000);
    clock.ms = 5000;
    fail(targets, a, 1);
    expect(a.backAtMs).toBe(15_000);
  });

  test('an answer after it was left out is told', () => {
    const { clock, targets, a, changes } = targetsOf(2);
    fail(targets, a, 3);
    clock.ms = 5000;
    targets.succeeded(a);
    expect(changes.at(-1)).toEqual({ origin: a.origin, up: true, reason: 'answers again' });
  });

  test('an only url is never left out', () => {
    const { targets, a, changes } = targetsOf(1);
    fail(targets, a, 50);
    expect(targets.choose()).toBe(a);
    expect(changes).toEqual([]);
  });
});
