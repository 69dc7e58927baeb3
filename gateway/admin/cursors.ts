/** Where lists go on: what is no cursor is refused, and taken neither for a list's beginning nor for its end. */
import { type Checked, complainOf } from '../../policy/token-input.ts';

/** @param cursors what a `next` of the list looks like. */
export function goesOn(after: string | null, cursors: Pick<RegExp, 'test'>): Checked<string | null> {
  if (after === null || cursors.test(after)) return { ok: true, value: after };
  const hint = 'give the next of the page before as it is, or leave it out';
  // It is not repeated: people paste tokens where ids belong.
  return complainOf('after', 'not a cursor', null, hint);
}
