/** What `serve` rows about probes do and answer: the operators' own operations, under what the row has fixed. */
import { denied } from '../../policy/denial.ts';
import type { ProbeServing } from '../../policy/serve-types.ts';
import type { Outcome } from '../../policy/types.ts';
import type { Operated } from '../serve.ts';
import { done, expected } from './operated.ts';
import type { Desk } from './operations.ts';
import { activateProbe, deactivateProbe, listProbes } from './operations-probe.ts';
import { activatedView, activationView } from './probe-view.ts';

export function operateProbe(desk: Desk, serving: ProbeServing): Promise<Outcome<Operated>> {
  switch (serving.rule.operation) {
    case 'probe.activate':
      return activate(desk, serving);
    case 'probe.list':
      return list(desk, serving);
    case 'probe.deactivate':
      return deactivate(desk, serving);
  }
}

async function activate(desk: Desk, { rule, subject, choice }: ProbeServing): Promise<Outcome<Operated>> {
  if (choice === null) throw new Error('nobody chose what the probe is for');
  const { activeMax } = rule;
  const activated = expected(await activateProbe(desk, { type: rule.type.name, subject, choice, activeMax }));
  if (activated.kind === 'full') {
    return denied('activations_full', `${activeMax} of this type and text are active`);
  }
  return done(201, activatedView(activated.record, activated.trigger));
}

async function list(desk: Desk, { rule, subject, page }: ProbeServing): Promise<Outcome<Operated>> {
  if (page === null) throw new Error('nobody said which page');
  const { activations, next } = expected(await listProbes(desk, { type: rule.type.name, subject, ...page }));
  return done(200, { activations: activations.map(activationView), next_cursor: next });
}

async function deactivate(
  desk: Desk,
  { rule, subject, activationId }: ProbeServing,
): Promise<Outcome<Operated>> {
  if (activationId === null) throw new Error('nobody said which activation');
  const ended = await deactivateProbe(desk, { type: rule.type.name, subject }, activationId);
  if (!ended.ok) return notFound;
  const { id, deactivatedAt } = ended.value;
  if (deactivatedAt === null) throw new Error('what was deactivated is active');
  return done(200, {
    deactivated: { activation_id: id, deactivated_at: new Date(deactivatedAt).toISOString() },
  });
}

const notFound = denied('record_not_found', 'no activation of this type and text has the id');
