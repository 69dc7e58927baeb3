/** The routes about alerts. */
import * as v from 'valibot';
import { alertView } from '../../policy/alert-view.ts';
import { wording } from '../../policy/config-fields.ts';
import { dryRun, nothingSaid, paging, textOrNull, time, timeOrNever } from './http-fields.ts';
import { route } from './http-route.ts';
import { acknowledgeAlert, listAlerts } from './operations-alerts.ts';

const alertEntries = {
  id: v.string(),
  at: time,
  kind: v.pipe(v.string(), v.description('What happened: spike.token, unseen.origin, …')),
  summary: v.pipe(v.string(), v.description('A sentence, without a word of a caller.')),
  subject: v.pipe(v.string(), v.description('What it is about; a caller may have chosen it.')),
  token_id: textOrNull,
  detail: v.pipe(
    v.record(v.string(), v.unknown()),
    v.description('Figures and places; a caller may have chosen texts in it.'),
  ),
  acknowledged_at: timeOrNever,
  acknowledged_by: textOrNull,
  attempts: v.pipe(v.number(), v.description('How often it was sent to the webhook, or tried to be.')),
  delivered_at: timeOrNever,
};

const open = v.pipe(
  v.picklist(['true', 'false'], wording('', 'write true or false')),
  v.description('true: only those that nobody has acknowledged.'),
);

const list = route({
  method: 'GET',
  path: '/v1/alerts',
  name: 'listAlerts',
  summary: 'What was noticed, newest first.',
  scope: 'alerts:read',
  query: v.object({ open: v.optional(open, 'false'), ...paging }),
  body: null,
  status: 200,
  answer: v.strictObject({ alerts: v.array(v.strictObject(alertEntries)), next: textOrNull }),
  changes: false,
  once: null,
  async handle({ desk, query }) {
    const { open: isOpen, limit, after = null } = query;
    const page = await listAlerts(desk, { open: isOpen === 'true', limit, after });
    if (!page.ok) return page;
    const { alerts, next } = page.value;
    return { ok: true, value: { alerts: alerts.map(alertView), next } };
  },
});

const acknowledge = route({
  method: 'POST',
  path: '/v1/alerts/{id}/acknowledge',
  name: 'acknowledgeAlert',
  summary: 'Say that it was seen to; the first who says so stays.',
  scope: 'alerts:write',
  query: nothingSaid,
  body: nothingSaid,
  status: 200,
  answer: v.strictObject({ ...alertEntries, ...dryRun }),
  changes: true,
  once: null,
  async handle({ desk, params }) {
    const acknowledged = await acknowledgeAlert(desk, params.id ?? '');
    return acknowledged.ok ? { ok: true, value: alertView(acknowledged.value) } : acknowledged;
  },
});

export const alertRoutes = [list, acknowledge];
