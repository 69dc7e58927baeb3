/** Lists of origins that belong to rows, compared by the pages that are on them. */
import type { Step, Verdict } from './diff-verdicts.ts';
import { monitorStep, monitorText, stepBetween, verdictOfSteps } from './diff-verdicts.ts';
import type { OriginList } from './pin-types.ts';

export function originListVerdict(was: OriginList, is: OriginList): Verdict {
  const step = originsStep(was.allow, is.allow);
  if (step === null) return 'changed';
  return verdictOfSteps([
    step,
    stepBetween(was.whenMissing, is.whenMissing, ['allow', 'deny']),
    monitorStep(was.monitorUntil, is.monitorUntil),
  ]);
}

export function originListText({ name, allow, whenMissing, monitorUntil }: OriginList): string {
  return `${name}, ${allow.join(' ')}, ${whenMissing} without Origin${monitorText(monitorUntil)}`;
}

/** null: origins came and origins went. */
function originsStep(was: readonly string[], is: readonly string[]): Step | null {
  const gained = is.some((origin) => !was.includes(origin));
  const lost = was.some((origin) => !is.includes(origin));
  if (gained && lost) return null;
  return gained ? 1 : lost ? -1 : 0;
}
