/** The pins of two rows: what is pinned, how strictly, and whether it is enforced yet. */
import type { BundlePin } from './body-types.ts';
import { networksStep, networksText } from './diff-networks.ts';
import { originListText, originListVerdict } from './diff-origins.ts';
import { isSame } from './diff-values.ts';
import type { Change, Verdict } from './diff-verdicts.ts';
import { monitorStep, monitorText, stepBetween, verdictOfSteps } from './diff-verdicts.ts';
import type { OriginPin } from './pin-types.ts';
import { formatBundlePin } from './rule-text.ts';
import type { CidrPin, Route } from './types.ts';

export function comparePins(was: Route, is: Route): readonly Change[] {
  const row = is.id;
  const names = new Set([...was.bundlePins, ...is.bundlePins].map(({ name }) => name));
  const named = ({ bundlePins }: Route, name: string) => bundlePins.find((pin) => pin.name === name) ?? null;
  return [
    ...change(row, 'pin origin', was.originPin, is.originPin, originVerdict, originText),
    ...change(
      row,
      'pin row origin',
      was.originList ?? null,
      is.originList ?? null,
      originListVerdict,
      originListText,
    ),
    ...change(row, 'pin address', was.addressPin, is.addressPin, addressVerdict, addressText),
    ...[...names].flatMap((name) =>
      change(row, `pin ${name}`, named(was, name), named(is, name), bundleVerdict, bundleText),
    ),
  ];
}

/** What is new asks more, what is gone asked for something; null is neither there nor asked for. */
function change<Pin>(
  row: string,
  what: string,
  was: Pin | null,
  is: Pin | null,
  verdictOf: (was: Pin, is: Pin) => Verdict,
  text: (pin: Pin) => string,
): readonly Change[] {
  if (isSame(was, is)) return [];
  const [from, to] = [was, is].map((pin) => (pin === null ? 'off' : text(pin))) as [string, string];
  if (was === null) return [{ verdict: 'tightened', row, what, from, to }];
  if (is === null) return [{ verdict: 'loosened', row, what, from, to }];
  return [{ verdict: verdictOf(was, is), row, what, from, to }];
}

function originVerdict(was: OriginPin, is: OriginPin): Verdict {
  return verdictOfSteps([
    stepBetween(was.whenMissing, is.whenMissing, ['allow', 'deny']),
    monitorStep(was.monitorUntil, is.monitorUntil),
  ]);
}

function originText({ name, whenMissing, monitorUntil }: OriginPin): string {
  return `${name}, ${whenMissing} without Origin${monitorText(monitorUntil)}`;
}

function addressVerdict(was: CidrPin, is: CidrPin): Verdict {
  const step = networksStep(was.allow, is.allow);
  return step === null ? 'changed' : verdictOfSteps([step, monitorStep(was.monitorUntil, is.monitorUntil)]);
}

function addressText({ name, allow, monitorUntil }: CidrPin): string {
  return `${name}, ${networksText(allow)}${monitorText(monitorUntil)}`;
}

function bundleVerdict(was: BundlePin, is: BundlePin): Verdict {
  const { firstUse: _f, whenMissing: _w, monitorUntil: _m, ...wasRest } = was;
  const { firstUse: _f2, whenMissing: _w2, monitorUntil: _m2, ...isRest } = is;
  if (!isSame(wasRest, isRest)) return 'changed';
  return verdictOfSteps([
    stepBetween(was.firstUse, is.firstUse, ['pin', 'deny']),
    stepBetween(was.whenMissing, is.whenMissing, ['allow', 'allow_unless_pinned', 'deny']),
    monitorStep(was.monitorUntil, is.monitorUntil),
  ]);
}

function bundleText(pin: BundlePin): string {
  return `${formatBundlePin(pin)}${monitorText(pin.monitorUntil)}`;
}
