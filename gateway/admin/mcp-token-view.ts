/** Tokens as tools show them: as the command line does, without what only the browser that has the token should know. */
import * as v from 'valibot';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { type TokenView, tokenStates, viewOf } from './token-view.ts';

const hidden = '(hidden)';
const time = v.nullable(v.string());

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
} satisfies Record<keyof TokenView, v.GenericSchema>;

export const tokenFields: Readonly<Record<string, v.GenericSchema>> = fields;
export const tokenSchema = v.object(fields);

/** A request with a cookie is believed for such an attribute: it is a secret as good as the token. */
export function tokenShown(record: TokenRecord, policy: Policy, now: number): TokenView {
  const view = viewOf(record, policy, now);
  const csrf = policy.types.get(record.type)?.csrf?.attribute;
  if (csrf === undefined || !Object.hasOwn(view.attributes, csrf)) return view;
  return { ...view, attributes: { ...view.attributes, [csrf]: hidden } };
}

/** What the audit says of a change, without such attributes of any type. */
export function detailShown(detail: Readonly<Record<string, unknown>>, policy: Policy) {
  const { attributes } = detail;
  if (typeof attributes !== 'object' || attributes === null) return detail;
  const secrets = [...policy.types.values()].flatMap(({ csrf }) => csrf?.attribute ?? []);
  const shown = Object.entries(attributes).map(([name, value]) => [
    name,
    secrets.includes(name) ? hidden : value,
  ]);
  return { ...detail, attributes: Object.fromEntries(shown) };
}
