/** What may be pinned, and to whom: the one spelling of both. */
import type { BundlePin } from './body-types.ts';

export const pinValueUnitsMax = 1_000;

/**
 * Why a text cannot be a pin's value; null: it can. Two values that some database could not tell apart, or could not
 * keep, are none: control characters and halves of surrogate pairs.
 */
export function pinValueFlaw(text: string): string | null {
  if (text === '') return 'it is empty';
  if (text.length > pinValueUnitsMax) return `it is longer than ${pinValueUnitsMax} characters`;
  if (/\p{Cc}/u.test(text)) return 'it holds a control character';
  return text.isWellFormed() ? null : 'it is not well-formed Unicode';
}

/** No attribute's name holds `%`, so one that is called token is told from the token itself. */
export function pinOwner({ belongsTo }: Pick<BundlePin, 'belongsTo'>): string {
  if (belongsTo.kind === 'token') return 'token';
  return belongsTo.name === 'token' ? '%token' : belongsTo.name;
}

/** Whose pin it is. Owners are names without `=`, so no two subjects are spelled alike. */
export function pinSubject(owner: string, value: string): string {
  return `${owner}=${value}`;
}
