import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const warm = fileURLToPath(new URL('../../gateway/warm.cjs', import.meta.url));

/** Ticks, as a start has them; a collection that finds none; then the least that 100,000 of them cost, ms. */
const script = `
for (let i = 0; i < 300; i++) process.nextTick(() => {});
setTimeout(() => {
  gc();
  let least = Infinity;
  const round = (left) => {
    const began = performance.now();
    let ticks = 100_000;
    const next = () => {
      if (--ticks > 0) return process.nextTick(next);
      least = Math.min(least, performance.now() - began);
      if (left > 0) round(left - 1);
      else console.log(least);
    };
    next();
  };
  round(8);
}, 5);`;

const cost = (...before: readonly string[]): number =>
  Number(execFileSync(process.execPath, ['--expose-gc', ...before, '-e', script], { encoding: 'utf8' }));

test('a tick costs no more for a collection that found none', () => {
  // 3.6 times, measured; the least of each, for a busy machine only adds.
  let ratio = 0;
  for (let tries = 0; tries < 5 && ratio < 2; tries++) ratio = cost() / cost('--require', warm);
  expect(ratio).toBeGreaterThan(2);
});
