/** `mode: monitor`: a check that says what it would refuse, until a day from which it refuses. */
import type { Denial, DenialCode, Limit, Watched } from './types.ts';

/** What may be watched instead of enforced. Nothing about a credential, a type or a binding is. */
const watchable: ReadonlySet<DenialCode> = new Set([
  'scope_missing',
  'origin_not_allowed',
  'address_not_allowed',
]);

/** @param until Unix ms; undefined: it is enforced. @param now Unix ms. */
export function isWatching(until: number | undefined, now: number): boolean {
  return until !== undefined && now < until;
}

/** A day, where it is one; else the whole instant. */
export function formatUntil(until: number): string {
  return new Date(until).toISOString().replace(/T00:00:00\.000Z$/, '');
}

/** Codes for log and metric. */
export function codesOf(refusals: readonly Denial[]): readonly DenialCode[] {
  return refusals.map(({ code }) => code);
}

/** Whether a limit's no changes nothing at `now`. */
export function isWatched({ monitorUntil }: Limit, now: number): boolean {
  return isWatching(monitorUntil, now);
}

/** @throws Error where something was passed over that is in force: a mistake of ours. */
export function assertOnlyWatched({ refusals, charges, now }: Watched): void {
  if (refusals.some(({ code }) => !watchable.has(code))) throw new Error('a refusal was passed over');
  if (charges.some(({ limit }) => !isWatched(limit, now)))
    throw new Error('a limit in force was passed over');
}
