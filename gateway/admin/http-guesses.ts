/** How often an operator may hold up a text that is no token: as often as an address may send a bad one. */
import type { Checked } from '../../policy/token-input.ts';
import type { FailureBudget } from '../../store/failure-budget.ts';
import { Refused } from './http-problem.ts';

export type Guesses = {
  /** ms until the next may be tried; null: now. */
  readonly waitMs: () => number | null;
  readonly missed: () => void;
};

/** At the machine itself. */
export const unlimited: Guesses = { waitMs: () => null, missed: () => {} };

/** @param by who asks; no address is called so. */
export function guessesOf(failures: FailureBudget, by: string): Guesses {
  return { waitMs: () => failures.exhausted(by, ''), missed: () => failures.spend(by, '') };
}

/** @throws Refused where too many before were none; whatever `find` throws. */
export async function guessed<T>(guesses: Guesses, find: () => Promise<Checked<T>>): Promise<Checked<T>> {
  const retryAfterMs = guesses.waitMs();
  if (retryAfterMs !== null) {
    const detail = 'Too many texts that are no token.';
    throw new Refused({ code: 'too_many_failures', detail, retryAfterMs });
  }
  const found = await find();
  if (!found.ok) guesses.missed();
  return found;
}
