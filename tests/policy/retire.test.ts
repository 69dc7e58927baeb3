import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeRetirement, quietFrom, quietMs, type RotationEvidence } from '../../policy/retire.ts';

const now = 1_000 * quietMs;
const rotatedAt = now - 3 * quietMs;
const evidence: RotationEvidence = {
  oldLastUsedAt: rotatedAt - 1,
  newLastUsedAt: now - 1,
  rotatedAt,
  oldLives: true,
  newLives: true,
};

test('safe: the new one is in use, and the old one was not for long enough', () => {
  expect(judgeRetirement(evidence, now).safe).toBe(true);
  expect(judgeRetirement({ ...evidence, oldLastUsedAt: null }, now).safe).toBe(true);
});

test('not safe while the new one was never used', () => {
  expect(judgeRetirement({ ...evidence, newLastUsedAt: null }, now)).toEqual({
    safe: false,
    because: 'the new token was never used',
  });
});

test.each([
  [quietMs - 1, false],
  [quietMs, true],
  [quietMs + 1, true],
])('an old token last used %i ms ago: %s', (agoMs, safe) => {
  const verdict = judgeRetirement({ ...evidence, oldLastUsedAt: now - agoMs }, now);
  expect(verdict.safe).toBe(safe);
  if (!safe) expect(verdict.because).toContain('after the new one was made');
});

test('not safe while the new one is dead itself, however quiet the old one is', () => {
  expect(judgeRetirement({ ...evidence, newLives: false }, now)).toEqual({
    safe: false,
    because: 'the new token cannot be used any more',
  });
});

test('right after the rotation nobody can tell yet', () => {
  const verdict = judgeRetirement({ ...evidence, rotatedAt: now - 10, oldLastUsedAt: now - 20 }, now);
  expect(verdict).toEqual({
    safe: false,
    because: 'the new token is in use; wait until it is 25 hours old, for what runs once a day',
  });
});

test('a token that cannot be used any more is needed by nobody', () => {
  expect(judgeRetirement({ ...evidence, oldLives: false, newLastUsedAt: null }, now).safe).toBe(true);
});

test('the time from which on the old one can go is the one at which the verdict turns, and there is none where it does not', () => {
  const at = fc.integer({ min: 0, max: 2 * now });
  const any = fc.record({
    oldLastUsedAt: fc.option(at),
    newLastUsedAt: fc.option(at),
    rotatedAt: at,
    oldLives: fc.boolean(),
    newLives: fc.boolean(),
  });
  fc.assert(
    fc.property(any, at, (one, when) => {
      const from = quietFrom(one);
      expect(judgeRetirement(one, when).safe).toBe(from === null ? !one.oldLives : when >= from);
      if (from === null) return;
      expect(judgeRetirement(one, from).safe).toBe(true);
      expect(judgeRetirement(one, from - 1).safe).toBe(false);
    }),
  );
});
