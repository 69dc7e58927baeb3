import { expect, test } from 'vitest';
import { guessed, guessesOf } from '../../gateway/admin/http-guesses.ts';
import { complain } from '../../policy/token-input.ts';
import { StoreFault } from '../../store/fault.ts';

/** Lets twenty miss. */
function budget() {
  const missed: string[] = [];
  const failures = {
    exhausted: (by: string) => (missed.filter((one) => one === by).length >= 20 ? 5000 : null),
    spend: (by: string) => void missed.push(by),
  };
  return { missed, of: (by: string) => guessesOf(failures as never, by) };
}

const refused = (promise: Promise<unknown>) =>
  expect(promise).rejects.toMatchObject({ problem: { code: 'too_many_failures' } });

test('of guesses that come at once one is looked up, and others have theirs', async () => {
  const { missed, of } = budget();
  const waiting = Promise.withResolvers<void>();
  const none = async () => {
    await waiting.promise;
    return complain('none', null, 'look again', 'unknown');
  };
  const first = guessed(of('ada'), none);
  for (let n = 0; n < 500; n++) await refused(guessed(of('ada'), none));
  const other = guessed(of('bob'), none);
  waiting.resolve();
  expect([(await first).ok, (await other).ok]).toEqual([false, false]);
  expect(missed).toEqual(['ada', 'bob']);
});

test('a look-up that cannot tell is a miss too, and does not hold up the next', async () => {
  const { missed, of } = budget();
  const busy = () => Promise.reject(new StoreFault('verifier_busy', 'busy'));
  for (let n = 0; n < 20; n++) await expect(guessed(of('ada'), busy)).rejects.toThrow(StoreFault);
  expect(missed).toHaveLength(20);
  await refused(guessed(of('ada'), busy));
  const found = async () => ({ ok: true, value: 'tok_1' }) as const;
  expect(await guessed(of('bob'), found)).toEqual({ ok: true, value: 'tok_1' });
  expect(missed).toHaveLength(20);
});
