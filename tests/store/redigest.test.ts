import { expect, test } from 'vitest';
import { createRedigest } from '../../store/redigest.ts';

const form = { digest: 'old', newest: 'new' };

function opened() {
  const clock = { ms: 0 };
  const handed: { id: string; done: PromiseWithResolvers<void> }[] = [];
  const failed: string[] = [];
  const redigest = createRedigest({
    now: () => clock.ms,
    onFailure: (id) => failed.push(id),
    write: (id) => {
      const done = Promise.withResolvers<void>();
      handed.push({ id, done });
      return done.promise;
    },
  });
  const settled = () => new Promise(setImmediate);
  return { clock, handed, failed, redigest, settled };
}

test('a row is written once at a time, and at most sixteen are in hand', async () => {
  const { handed, redigest, settled } = opened();
  for (let use = 0; use < 3; use++) for (let n = 0; n < 40; n++) redigest(`tok_${n}`, form);
  expect(handed.map(({ id }) => id)).toEqual(Array.from({ length: 16 }, (_, n) => `tok_${n}`));
  handed[3]?.done.resolve();
  await settled();
  redigest('tok_39', form);
  expect(handed.at(-1)?.id).toBe('tok_39');
});

test('after a failure nothing is written for a minute', async () => {
  const { clock, handed, failed, redigest, settled } = opened();
  redigest('tok_0', form);
  handed[0]?.done.reject(new Error('disk full'));
  await settled();
  expect(failed).toEqual(['tok_0']);
  clock.ms = 59_999;
  redigest('tok_0', form);
  redigest('tok_1', form);
  expect(handed).toHaveLength(1);
  clock.ms = 60_000;
  redigest('tok_1', form);
  expect(handed).toHaveLength(2);
});
