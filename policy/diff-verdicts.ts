/** How single differences add up to a verdict, and the ones that many kinds of rules share. */
import { formatUntil } from './monitor.ts';

/**
 * `opened`, `closed`: somebody may now do what nobody of that kind could, or the reverse. `loosened`, `tightened`:
 * more or fewer requests pass. `changed`: neither can be said, so a person must look.
 */
export type Verdict = 'opened' | 'closed' | 'loosened' | 'tightened' | 'changed';

export type Change = {
  readonly verdict: Verdict;
  /** The row it is about, by id; null: about more than one. */
  readonly row: string | null;
  /** `cell browser`, `limit ingest`, `type service prefixes`. */
  readonly what: string;
  readonly from: string;
  readonly to: string;
};

/** Above 0: more requests pass than before; below: fewer; 0: the same. */
export type Step = number;

/** All one way, or `changed`: where one thing is stricter and another is not, a person must look. */
export function verdictOfSteps(steps: readonly Step[]): Verdict {
  const [more, fewer] = [steps.some((step) => step > 0), steps.some((step) => step < 0)];
  if (more === fewer) return 'changed';
  return more ? 'loosened' : 'tightened';
}

/** @param order from what lets most through to what lets least. */
export function stepBetween<T>(was: T, is: T, order: readonly T[]): Step {
  return order.indexOf(was) - order.indexOf(is);
}

/** `until` in Unix ms; undefined: enforced. The later it is, the longer everything passes. */
export function monitorStep(was: number | undefined, is: number | undefined): Step {
  const enforced = Number.NEGATIVE_INFINITY;
  return was === is ? 0 : (is ?? enforced) > (was ?? enforced) ? 1 : -1;
}

/** To stand behind what is monitored; '' where it is enforced. */
export function monitorText(until: number | undefined): string {
  return until === undefined ? '' : `, monitored until ${formatUntil(until)}`;
}
