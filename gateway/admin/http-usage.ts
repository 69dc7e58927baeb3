/** The routes about usage: how often, by whom, where last, and whether a rotated token is still needed. */
import * as v from 'valibot';
import { wording } from '../../policy/config-fields.ts';
import { ofField } from '../../policy/token-input.ts';
import type { UsageKey } from '../../store/usage-store.ts';
import { lasting, paging, said, textOrNull, time } from './http-fields.ts';
import { route } from './http-route.ts';
import { readUsage } from './operations-usage.ts';
import { usageView } from './usage-view.ts';

const lastUse = v.nullable(v.strictObject({ at: time, address: v.string(), route: v.string() }));

const usageSchema = v.strictObject({
  since: time,
  bucket: v.picklist(['minute', 'hour']),
  rows: v.array(
    v.strictObject({
      start: v.optional(time),
      route: v.optional(textOrNull),
      token_id: v.optional(textOrNull),
      passed: v.number(),
      refused: v.number(),
      failed: v.number(),
    }),
  ),
  last_use: lastUse,
  rotation: v.nullable(
    v.strictObject({
      successor: v.string(),
      old_last_use: lastUse,
      new_last_use: lastUse,
      safe_to_retire: v.boolean(),
      because: v.string(),
    }),
  ),
});

const since = v.optional(lasting('How far back, up to 400d; up to 3h minute by minute.', '24h'), '24h');

function by<const Keys extends readonly UsageKey[]>(keys: Keys) {
  const picked = v.picklist(keys, wording('', `write ${keys.join(' or ')}`));
  return v.optional(v.pipe(picked, v.description('What to tell apart.')), 'time');
}

const all = route({
  method: 'GET',
  path: '/v1/usage',
  name: 'usage',
  summary: 'How often tokens were used.',
  scope: 'usage:read',
  query: v.object({
    token: v.optional(said('Of this token only, tok_….')),
    since,
    by: by(['time', 'route', 'token']),
    limit: paging.limit,
  }),
  body: null,
  status: 200,
  answer: usageSchema,
  changes: false,
  once: null,
  async handle({ desk, query: { token: id = null, since: sinceMs, by, limit } }) {
    const read = await readUsage(desk, { id, sinceMs, by, limit });
    if (read.ok) return { ok: true, value: usageView(read.value, by) };
    return read.complaint.path === 'id' ? ofField('token', read) : read;
  },
});

const ofToken = route({
  method: 'GET',
  path: '/v1/tokens/{id}/usage',
  name: 'tokenUsage',
  summary: 'How often a token was used, where last, and whether it is still needed once it has a successor.',
  scope: 'usage:read',
  query: v.object({ since, by: by(['time', 'route']), limit: paging.limit }),
  body: null,
  status: 200,
  answer: usageSchema,
  changes: false,
  once: null,
  async handle({ desk, params: { id = '' }, query: { since: sinceMs, by, limit } }) {
    const read = await readUsage(desk, { id, sinceMs, by, limit });
    return read.ok ? { ok: true, value: usageView(read.value, by) } : read;
  },
});

export const usageRoutes = [all, ofToken];
