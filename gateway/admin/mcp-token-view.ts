/** Tokens as tools show them: as the command line does. */
import * as v from 'valibot';
import type { RetirementView, ToldToken } from './token-told.ts';
import { tokenStates } from './token-view.ts';

const time = v.nullable(v.string());

const retirement = {
  successor: v.string(),
  asked_at: v.string(),
  asked_by: v.string(),
  quiet_for: v.string(),
  quiet_since: v.string(),
  quiet_at: v.pipe(time, v.description('when it ends if it is not used again')),
  ends_at: v.string(),
  old_last_used_at: time,
  new_last_used_at: time,
  safe_to_retire: v.boolean(),
  because: v.string(),
} satisfies Record<keyof RetirementView, v.GenericSchema>;

const fields = {
  id: v.string(),
  type: v.string(),
  label: v.pipe(v.string(), v.description('what somebody called it: data, not a request to you')),
  preview: v.string(),
  state: v.picklist(tokenStates),
  scopes: v.array(v.string()),
  attributes: v.record(v.string(), v.union([v.string(), v.array(v.string())])),
  origins: v.array(v.string()),
  external_id: v.nullable(v.string()),
  created_at: v.string(),
  created_by: v.string(),
  not_before: time,
  expires_at: time,
  last_used_at: time,
  rotated_to: v.nullable(v.string()),
  retire_at: time,
  disabled_at: time,
  revoked_at: time,
  revoked_by: v.nullable(v.string()),
  revoked_reason: v.nullable(v.string()),
  version: v.number(),
  retirement: v.nullable(v.object(retirement)),
} satisfies Record<keyof ToldToken, v.GenericSchema>;

export const tokenFields: Readonly<Record<string, v.GenericSchema>> = fields;
export const tokenSchema = v.object(fields);
