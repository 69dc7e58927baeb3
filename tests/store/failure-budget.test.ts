import { describe, expect, test } from 'vitest';
import { createFailureBudget } from '../../store/failure-budget.ts';

function open(options: { quota?: number; windowMs?: number; addressesMax?: number } = {}) {
  const clock = { ms: 5000 };
  const budget = createFailureBudget({ quota: 20, windowMs: 60_000, ...options, now: () => clock.ms });
  /** Sends bad tokens as the walk does: asks first, spends only what was let through. */
  const flood = (address: string, prefix: string, tries: number): number => {
    let tried = 0;
    for (let attempt = 0; attempt < tries; attempt += 1) {
      if (budget.exhausted(address, prefix) !== null) continue;
      budget.spend(address, prefix);
      tried += 1;
    }
    return tried;
  };
  return { clock, budget, flood };
}

describe('the failure budget', () => {
  test('lets an address fail as often as its quota, and not once more', () => {
    const { budget, flood } = open({ quota: 20 });
    expect(flood('192.0.2.1', 'pk_', 100)).toBe(20);
    expect(budget.exhausted('192.0.2.1', 'pk_')).toBeGreaterThan(0);
    expect(budget.exhausted('192.0.2.2', 'pk_')).toBeNull();
  });

  test('asking spends nothing', () => {
    const { budget, flood } = open({ quota: 3 });
    for (let times = 0; times < 50; times += 1) expect(budget.exhausted('192.0.2.1', 'pk_')).toBeNull();
    expect(flood('192.0.2.1', 'pk_', 10)).toBe(3);
  });

  test('a flood under one prefix never stops the first use of another', () => {
    const { budget, flood } = open({ quota: 20 });
    flood('192.0.2.1', 'pk_', 1000);
    expect(budget.exhausted('192.0.2.1', 'sk_')).toBeNull();
  });

  test.each([
    [20, 2],
    [5, 1],
    [100, 10],
  ])('of a quota of %i each other prefix keeps a reserve of %i', (quota, reserve) => {
    const { flood } = open({ quota });
    flood('192.0.2.1', 'pk_', 1000);
    expect(flood('192.0.2.1', 'sk_', 1000)).toBe(reserve);
  });

  test('tells a wait after which a try is free again, and the budget grows back in time', () => {
    const { budget, clock, flood } = open({ quota: 2, windowMs: 1000 });
    flood('192.0.2.1', 'pk_', 5);
    const waitMs = budget.exhausted('192.0.2.1', 'pk_') ?? 0;
    clock.ms += waitMs - 1;
    expect(budget.exhausted('192.0.2.1', 'pk_')).toBe(1);
    clock.ms += 1;
    expect(budget.exhausted('192.0.2.1', 'pk_')).toBeNull();
    expect(flood('192.0.2.1', 'pk_', 5)).toBe(2);
  });

  test('addresses are told apart whole, v6 networks too', () => {
    const { budget, flood } = open({ quota: 20 });
    expect(flood('2001:db8:1:2::/64', 'pk_', 200)).toBe(20);
    expect(budget.exhausted('2001:db8:1:3::/64', 'pk_')).toBeNull();
  });

  test('remembers a bounded number of addresses, the latest ones', () => {
    const { budget, flood } = open({ quota: 1, addressesMax: 3 });
    for (const last of [1, 2, 3, 4]) flood(`192.0.2.${last}`, '', 5);
    expect(budget.exhausted('192.0.2.1', '')).toBeNull();
    expect(budget.exhausted('192.0.2.4', '')).toBeGreaterThan(0);
  });

  test('made-up prefixes buy no endless reserve', () => {
    const { budget, flood } = open({ quota: 10 });
    let tried = 0;
    for (let made = 0; made < 5000; made += 1) tried += flood('192.0.2.1', `made${made}_`, 1);
    expect(tried).toBeLessThan(100);
    expect(budget.exhausted('192.0.2.1', '__proto__')).toBeGreaterThan(0);
  });
});
