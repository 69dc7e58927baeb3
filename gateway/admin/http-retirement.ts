/** What a token that is to end when nobody needs it says of that. */
import * as v from 'valibot';
import { time, timeOrNever } from './http-fields.ts';
import type { RetirementView } from './token-told.ts';

const fields = {
  successor: v.string(),
  asked_at: time,
  asked_by: v.string(),
  quiet_for: v.pipe(v.string(), v.description('How long it must not have been used.')),
  quiet_since: v.pipe(time, v.description('Its last use, or the rotation if that was later.')),
  quiet_at: v.pipe(
    timeOrNever,
    v.description('When it ends if it is not used again; null: not as things stand, see because.'),
  ),
  ends_at: v.pipe(time, v.description('When it ends at the latest.')),
  old_last_used_at: timeOrNever,
  new_last_used_at: timeOrNever,
  safe_to_retire: v.boolean(),
  because: v.string(),
} satisfies Record<keyof RetirementView, v.GenericSchema>;

export const retirementOrNull = v.pipe(
  v.nullable(v.strictObject(fields)),
  v.description('Of a token that is to end before its overlap does, once nobody needs it; null: it is not.'),
);
