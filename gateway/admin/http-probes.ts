/** The routes about probes. */
import * as v from 'valibot';
import { wording } from '../../policy/config-fields.ts';
import { probeChoiceOf } from '../../policy/probe-input.ts';
import { complain } from '../../policy/token-input.ts';
import { dryRun, paging, said, textOrNull, time } from './http-fields.ts';
import { route } from './http-route.ts';
import { activateProbe, deactivateProbe, listProbes } from './operations-probe.ts';
import { activeMaxOf, operatorCaps, probeKeyOf, ttlSecondsDefault } from './probe-ask.ts';
import { activatedView, activationView, deactivatedView } from './probe-view.ts';

const ownEntries = {
  activation_id: v.string(),
  label_pattern: v.string(),
  service: v.string(),
  environment: v.string(),
  expires_at: time,
  trigger_expires_at: time,
};

const type = v.optional(said('A token type that is signed; left out: the only one.'));
const whose = said('Whose: the text that its key is derived for, prj_a.');
const seconds = v.pipe(v.number(wording('', 'write a whole number of seconds')), v.integer());

const list = route({
  method: 'GET',
  path: '/v1/probes',
  name: 'listProbes',
  summary: 'What is active or has a trigger that is, oldest first.',
  scope: 'probes:read',
  query: v.object({ type, for: whose, ...paging }),
  body: null,
  status: 200,
  answer: v.strictObject({
    activations: v.array(v.strictObject({ ...ownEntries, created_at: time })),
    next: textOrNull,
  }),
  changes: false,
  once: null,
  async handle({ desk, query }) {
    const { limit, after = null } = query;
    const key = probeKeyOf(desk.policy, query.type, query.for);
    if (!key.ok) return key;
    const page = await listProbes(desk, { ...key.value, limit, after });
    if (!page.ok) return page;
    const { activations, next } = page.value;
    return { ok: true, value: { activations: activations.map(activationView), next } };
  },
});

const activate = route({
  method: 'POST',
  path: '/v1/probes',
  name: 'activateProbe',
  summary: 'Switch one on; its trigger is in this answer and nowhere else.',
  scope: 'probes:write',
  query: v.object({}),
  body: v.object({
    type,
    for: whose,
    label_pattern: said('What is probed: payment.*'),
    service: v.optional(said('In which service; left out: in each.')),
    environment: v.optional(said('In which environment; left out: in each.')),
    ttl_seconds: v.optional(v.pipe(seconds, v.description('For how long.')), ttlSecondsDefault),
    trigger_ttl_seconds: v.optional(
      v.pipe(seconds, v.description('For how long its trigger is right; left out: as long.')),
    ),
  }),
  status: 201,
  answer: v.strictObject({
    activation: v.strictObject(ownEntries),
    ...ownEntries,
    created_at: time,
    trigger_token: v.pipe(
      v.nullable(v.string()),
      v.description('The trigger, this once; null in a dry run.'),
    ),
    ...dryRun,
  }),
  changes: true,
  once: null,
  async handle({ desk, body: { type, for: subject, ...said } }) {
    const key = probeKeyOf(desk.policy, type, subject);
    if (!key.ok) return key;
    const choice = probeChoiceOf(said, operatorCaps);
    if (!choice.ok) return choice;
    const activeMax = activeMaxOf(desk.policy, key.value.type);
    const activated = await activateProbe(desk, { ...key.value, choice: choice.value, activeMax });
    if (!activated.ok) return activated;
    if (activated.value.kind === 'full') {
      return complain(
        `${activeMax} are active already`,
        null,
        'deactivate one that probe list shows',
        'full',
      );
    }
    return { ok: true, value: activatedView(activated.value.record, activated.value.trigger) };
  },
});

const deactivate = route({
  method: 'POST',
  path: '/v1/probes/{activation_id}/deactivate',
  name: 'deactivateProbe',
  summary: 'Switch one off; a trigger that is out is right until its end.',
  scope: 'probes:write',
  query: v.object({}),
  body: v.object({ type, for: whose }),
  status: 200,
  answer: v.strictObject({ activation_id: v.string(), deactivated_at: time, ...dryRun }),
  changes: true,
  once: null,
  async handle({ desk, params, body }) {
    const key = probeKeyOf(desk.policy, body.type, body.for);
    if (!key.ok) return key;
    const ended = await deactivateProbe(desk, key.value, params.activation_id ?? '');
    return ended.ok ? { ok: true, value: deactivatedView(ended.value) } : ended;
  },
});

export const probeRoutes = [list, activate, deactivate];
