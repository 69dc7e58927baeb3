import { describe, expect, test } from 'vitest';
import { createMemoryLimiter } from '../../store/limiter-memory.ts';
import { charge, limiterSuite, limitOf, passed } from './limiter.suite.ts';

function openFake() {
  const clock = { ms: 1000 };
  const limiter = createMemoryLimiter({ now: () => clock.ms });
  return { clock, limiter };
}

limiterSuite('in process', async () => {
  const { clock, limiter } = openFake();
  return {
    limiter,
    advance: async (ms) => {
      clock.ms += ms;
    },
    stamped: async (charges) => {
      clock.ms += Math.random();
      return { states: limiter.consume(charges), clockUs: Math.floor(clock.ms * 1000) };
    },
    close: () => limiter.close(),
  };
});

describe('the limiter in process', () => {
  test('answers at once, without a promise', () => {
    const states = createMemoryLimiter().consume([charge(limitOf(), 'k')]);
    expect(Array.isArray(states)).toBe(true);
  });

  test('by default runs on a clock that cannot be set', () => {
    const limit = limitOf({ quota: 1 });
    const limiter = createMemoryLimiter();
    const wall = Date.now;
    expect(passed(limiter.consume([charge(limit, 'k')]))).toBe(true);
    try {
      Date.now = () => wall() + 3_600_000;
      expect(passed(limiter.consume([charge(limit, 'k')]))).toBe(false);
    } finally {
      Date.now = wall;
    }
  });

  test('forgets buckets whose counts have left the window, a few at a time', () => {
    const { clock, limiter } = openFake();
    const limit = limitOf({ windowMs: 1000 });
    for (let caller = 0; caller < 20_000; caller += 1) {
      limiter.consume([charge(limit, `caller ${caller}`)]);
      clock.ms += 0.1;
    }
    expect(limiter.size()).toBeLessThan(13_000);
    for (let use = 0; use < 300; use += 1) {
      clock.ms += 100;
      const before = limiter.size();
      limiter.consume([charge(limit, 'the only one')]);
      expect(before - limiter.size()).toBeLessThanOrEqual(500);
    }
    expect(limiter.size()).toBeLessThanOrEqual(2);
  });

  test('never forgets a bucket that still holds counts, whatever else comes by', () => {
    const { clock, limiter } = openFake();
    const day = limitOf({ quota: 1, windowMs: 86_400_000 });
    const short = limitOf({ windowMs: 10 });
    limiter.consume([charge(day, 'daily')]);
    for (let other = 0; other < 5000; other += 1) {
      clock.ms += 17;
      limiter.consume([charge(short, `other ${other}`)]);
    }
    expect(limiter.size()).toBeLessThan(10);
    expect(passed(limiter.consume([charge(day, 'daily')]))).toBe(false);
    clock.ms += 86_400_000;
    expect(passed(limiter.consume([charge(day, 'daily')]))).toBe(true);
  });

  test('keeps nothing of a caller who was only refused', () => {
    const { limiter } = openFake();
    for (let caller = 0; caller < 100; caller += 1)
      limiter.consume([charge(limitOf({ quota: 1 }), `c${caller}`, 2)]);
    expect(limiter.size()).toBe(0);
  });
});
