/** The watch over canaries: each use once an address in its quiet time, bounded, and again until it is kept. */
import { expect, test } from 'vitest';
import { createCanaryWatch } from '../../gateway/canary-watch.ts';
import type { NewAlert } from '../../store/alert-store.ts';

const quiet = 3_600_000;

function start(fails = 0) {
  const told: NewAlert[] = [];
  const faults: unknown[] = [];
  const clock = { now: 1 };
  let left = fails;
  const watch = createCanaryWatch({
    tell: async (alert) => {
      if (left-- > 0) throw new Error('away');
      told.push(alert);
    },
    quietMs: () => quiet,
    now: () => clock.now,
    onFault: (error) => faults.push(error),
    retryMs: 1,
  });
  const use = (address: string, tokenId = 'tok_1') =>
    watch.note({ tokenId, address, row: 'main GET /x', requestId: 'r' });
  return { told, faults, clock, watch, use };
}

test('an address is told once in its quiet time, a network of one customer as one address', async () => {
  const { told, clock, use, watch } = start();
  for (let n = 0; n < 50; n++) use('203.0.113.7');
  use('2001:db8::1');
  use('2001:db8::2');
  use('203.0.113.7', 'tok_2');
  clock.now += quiet;
  use('203.0.113.7');
  await watch.close();
  expect(told.map(({ subject }) => subject)).toEqual([
    'tok_1 from 203.0.113.7',
    'tok_1 from 2001:db8:0:0::/64',
    'tok_2 from 203.0.113.7',
    'tok_1 from 203.0.113.7',
  ]);
  expect(told[0]).toEqual({
    kind: 'canary.used',
    subject: 'tok_1 from 203.0.113.7',
    tokenId: 'tok_1',
    detail: { address: '203.0.113.7', row: 'main GET /x', request: 'r' },
    quietMs: quiet,
  });
});

test('beyond twenty addresses one alert stands for all others', async () => {
  const { told, use, watch } = start();
  for (let n = 0; n < 200; n++) use(`10.0.${n}.1`);
  await watch.close();
  expect(told).toHaveLength(21);
  expect(told.at(-1)?.subject).toBe('tok_1 from many addresses');
});

test('what cannot be kept is tried again', async () => {
  const { told, faults, use } = start(3);
  use('203.0.113.7');
  await expect.poll(() => told.length).toBe(1);
  expect(faults).toHaveLength(3);
});
