/** How often an operator may hold up a text that is no token: as often as an address may send a bad one. */
import type { Checked } from '../../policy/token-input.ts';
import type { FailureBudget } from '../../store/failure-budget.ts';
import { Refused } from './http-problem.ts';

export type Guesses = {
  /** ms until the next may be tried; null: now. */
  readonly waitMs: () => number | null;
  readonly missed: () => void;
  /** Whose; null: nobody is held to one at a time. */
  readonly by: string | null;
};

/** At the machine itself. */
export const unlimited: Guesses = { waitMs: () => null, missed: () => {}, by: null };

/** @param by who asks; no address is called so. */
export function guessesOf(failures: FailureBudget, by: string): Guesses {
  return { waitMs: () => failures.exhausted(by, ''), missed: () => failures.spend(by, ''), by };
}

/** Whose guess is being looked up. One at a time: otherwise all that come at once would be within the budget. */
const underWay = new Set<string>();
const nextMs = 1000;

/** @throws Refused where too many before were none, or one is being looked up; whatever `find` throws, which is a miss too. */
export async function guessed<T>(guesses: Guesses, find: () => Promise<Checked<T>>): Promise<Checked<T>> {
  const { by } = guesses;
  const isBusy = by !== null && underWay.has(by);
  const retryAfterMs = isBusy ? nextMs : guesses.waitMs();
  if (retryAfterMs !== null) {
    const detail = isBusy ? 'One text at a time.' : 'Too many texts that are no token.';
    throw new Refused({ code: 'too_many_failures', detail, retryAfterMs });
  }
  if (by !== null) underWay.add(by);
  let isFound = false;
  try {
    const found = await find();
    isFound = found.ok;
    return found;
  } finally {
    if (by !== null) underWay.delete(by);
    if (!isFound) guesses.missed();
  }
}
