/** The routes about pins, and the audit. */
import * as v from 'valibot';
import { dryRun, nothingSaid, paging, said, textOrNull, time } from './http-fields.ts';
import type { Call } from './http-route.ts';
import { route } from './http-route.ts';
import { listAudit, listPins, resetPin, setPin, showPin } from './operations-pin.ts';
import { auditView, changedPinView, pinView, resetPinView } from './pin-view.ts';

const pinEntries = {
  pin: v.string(),
  subject: v.string(),
  value: v.string(),
  pinned_at: time,
  pinned_by: v.string(),
  version: v.number(),
};

const pinSchema = v.strictObject(pinEntries);
const resetSchema = v.strictObject({
  pin: v.string(),
  subject: v.string(),
  value: v.null(),
  before: textOrNull,
  ...dryRun,
});

const reason = v.optional(v.nullable(said('Why, for the audit.')), null);

function keyOf({ params }: Pick<Call<unknown, unknown>, 'params'>) {
  return { pin: params.pin ?? '', subject: params.subject ?? '' };
}

const list = route({
  method: 'GET',
  path: '/v1/pins',
  name: 'listPins',
  summary: 'What is pinned, by pin and subject.',
  scope: 'pins:read',
  query: v.object({
    pin: v.optional(said('Of this pin only.')),
    subject: v.optional(said('Of this owner only: project=prj_a.')),
    ...paging,
  }),
  body: null,
  status: 200,
  answer: v.strictObject({ pins: v.array(pinSchema), next: textOrNull }),
  changes: false,
  once: null,
  async handle({ desk, query: { pin = null, subject = null, limit, after = null } }) {
    const page = await listPins(desk, { pin, subject, limit, after });
    if (!page.ok) return page;
    const { pins, next } = page.value;
    return { ok: true, value: { pins: pins.map(pinView), next } };
  },
});

const show = route({
  method: 'GET',
  path: '/v1/pins/{pin}/{subject}',
  name: 'showPin',
  summary: 'What is pinned to one owner.',
  scope: 'pins:read',
  query: nothingSaid,
  body: null,
  status: 200,
  answer: pinSchema,
  changes: false,
  once: null,
  async handle(call) {
    const shown = await showPin(call.desk, keyOf(call));
    return shown.ok ? { ok: true, value: pinView(shown.value) } : shown;
  },
});

const set = route({
  method: 'PUT',
  path: '/v1/pins/{pin}/{subject}',
  name: 'setPin',
  summary: 'Pin a value, whatever is pinned.',
  scope: 'pins:write',
  query: nothingSaid,
  body: v.object({ value: said('What clients are to send.'), reason }),
  status: 200,
  answer: v.union([v.strictObject({ ...pinEntries, before: textOrNull, ...dryRun }), resetSchema]),
  changes: true,
  once: null,
  async handle(call) {
    const key = keyOf(call);
    const changed = await setPin(call.desk, { ...key, ...call.body });
    return changed.ok ? { ok: true, value: changedPinView(key, changed.value) } : changed;
  },
});

const reset = route({
  method: 'POST',
  path: '/v1/pins/{pin}/{subject}/reset',
  name: 'resetPin',
  summary: 'Let go: the next use pins anew.',
  scope: 'pins:write',
  query: nothingSaid,
  body: v.object({ reason }),
  status: 200,
  answer: resetSchema,
  changes: true,
  once: null,
  async handle(call) {
    const key = keyOf(call);
    const changed = await resetPin(call.desk, { ...key, ...call.body });
    return changed.ok ? { ok: true, value: resetPinView(key, changed.value) } : changed;
  },
});

const audit = route({
  method: 'GET',
  path: '/v1/audit',
  name: 'listAudit',
  summary: 'Who changed what, oldest first.',
  scope: 'audit:read',
  query: v.object({
    subject: v.optional(said('To this only: tok_…, project=prj_a.')),
    ...paging,
  }),
  body: null,
  status: 200,
  answer: v.strictObject({
    entries: v.array(
      v.strictObject({
        id: v.string(),
        at: time,
        actor: v.string(),
        action: v.string(),
        subject: v.string(),
        detail: v.record(v.string(), v.unknown()),
      }),
    ),
    next: textOrNull,
  }),
  changes: false,
  once: null,
  async handle({ desk, query: { subject = null, limit, after = null } }) {
    const page = await listAudit(desk, { subject, limit, after });
    if (!page.ok) return page;
    const { entries, next } = page.value;
    return { ok: true, value: { entries: entries.map((one) => auditView(one, desk.policy)), next } };
  },
});

export const pinRoutes = [list, show, set, reset, audit];
