/** The tools of signed types: switch probes on and off. */
import * as v from 'valibot';
import { lifeMsMin, probeChoiceOf } from '../../policy/probe-input.ts';
import { complain } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import type { ProbeKey } from '../../store/probe-store.ts';
import { changed, countOf, keptFields, noDatabase, proposed, whereKept } from './mcp-changed.ts';
import { keeping, notKept } from './mcp-secret.ts';
import {
  type Answer,
  type Call,
  camel,
  commandOf,
  defineTool,
  nextPage,
  paging,
  type Tool,
  text,
  whole,
} from './mcp-tool.ts';
import type { Desk } from './operations.ts';
import {
  type ActivationRequest,
  activateProbe,
  deactivateProbe,
  listProbes,
  signerOf,
} from './operations-probe.ts';
import { activeMaxOf, operatorCaps, ttlSecondsDefault } from './probe-ask.ts';
import { activationView } from './probe-view.ts';

const activationSchema = v.object({
  activation_id: v.string(),
  label_pattern: v.string(),
  service: v.string(),
  environment: v.string(),
  created_at: v.string(),
  expires_at: v.string(),
  trigger_expires_at: v.string(),
});
const said = [
  'type',
  'labelPattern',
  'service',
  'environment',
  'ttlSeconds',
  'triggerTtlSeconds',
  'activationId',
];
const lifeS = { min: lifeMsMin / 1000, max: operatorCaps.lifeMsMax / 1000 };

/** What tools call the text a probe is for, and how it and the type are read. */
type Subject = {
  readonly param: string;
  readonly named: Readonly<Record<string, v.GenericSchema>>;
  readonly keyOf: (named: Readonly<Record<string, unknown>>) => ProbeKey;
};

/** @returns none where the config has no signed type. */
export function probeTools(policy: Policy): readonly Tool[] {
  const types = [...policy.annotations.keys()];
  const [first, second] = types;
  if (first === undefined) return [];
  const param = subjectParam(policy);
  const subject: Subject = {
    param,
    named: {
      ...(second === undefined
        ? {}
        : { type: v.pipe(v.picklist(types), v.description('which signed type')) }),
      [param]: text('whose probes: the text that their key is derived for'),
    },
    keyOf: (named) => ({ type: String(named.type ?? first), subject: String(named[param]) }),
  };
  return [activateTool(subject), listTool(subject), deactivateTool(subject)];
}

/**
 * As other parameters are called that mean the same: rows say by which part of the path a probe's owner is told, and
 * which attribute of tokens holds that part.
 */
function subjectParam(policy: Policy): string {
  for (const { serve } of policy.routes) {
    if (serve?.kind !== 'probe') continue;
    const { derive } = serve;
    if (derive.kind === 'attribute') return unlessSaid(derive.name);
    if (derive.kind === 'param') return unlessSaid(attributeIn(policy, derive.param) ?? derive.param);
  }
  return 'subject';
}

/** A list holds more than the one that is meant. */
function attributeIn({ routes, types }: Policy, param: string): string | null {
  const isList = (name: string) =>
    [...types.values()].some(({ attributes }) => attributes.get(name)?.list === true);
  const served = routes.flatMap(({ serve }) => (serve?.kind === 'token' ? serve.attributes : []));
  const holding = served
    .filter(({ from }) => from.some((source) => source.kind === 'param' && source.param === param))
    .map(({ name }) => name);
  const bound = routes.flatMap(({ bind }) =>
    bind.filter((one) => one.param === param).map((one) => one.attribute),
  );
  return [...holding, ...bound].find((name) => !isList(name)) ?? null;
}

function unlessSaid(name: string): string {
  const param = camel(name);
  return said.includes(param) || !/^[A-Za-z][A-Za-z0-9]*$/.test(param) ? 'subject' : param;
}

function activateTool({ named, keyOf }: Subject): Tool {
  return defineTool({
    name: 'activate_probe',
    title: 'Activate a probe',
    description:
      'Switches a probe on, and signs the trigger that turns single requests into probed ones. The trigger is not in the answer, unless the operator asked for that: the answer says where it is.',
    scope: 'probes:write',
    change: { destructive: false, idempotent: false },
    need: 'keys',
    named,
    input: {
      labelPattern: text('what is probed: payment.*'),
      service: v.optional(text('in which service; left out: in every one')),
      environment: v.optional(text('in which environment; left out: in every one')),
      ttlSeconds: v.optional(whole('for how long, in seconds', lifeS.min, lifeS.max), ttlSecondsDefault),
      triggerTtlSeconds: v.optional(
        whole('for how long its trigger is right, in seconds; left out: as long', lifeS.min, lifeS.max),
      ),
    },
    output: { ...changed, ...keptFields, activation: v.nullable(activationSchema) },
    run: async ({ labelPattern, service, environment, ttlSeconds, triggerTtlSeconds }, call, given) => {
      const written = {
        label_pattern: labelPattern,
        service,
        environment,
        ttl_seconds: ttlSeconds,
        trigger_ttl_seconds: triggerTtlSeconds,
      };
      const choice = probeChoiceOf(written, operatorCaps);
      if (!choice.ok) return choice;
      const key = keyOf(given);
      const request = { ...key, choice: choice.value, activeMax: activeMaxOf(call.policy, key.type) };
      return call.applies ? activate(request, call) : proposeActivation(request, written, call);
    },
  });
}

async function proposeActivation(
  { type, subject, activeMax }: ActivationRequest,
  written: Readonly<Record<string, unknown>>,
  call: Call,
): Promise<Answer> {
  const checked = await call.atDesk('read', (desk) => checkActivation(desk, { type, subject }, activeMax));
  if (checked?.ok === false) return checked;
  const options = Object.entries(written).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name.replaceAll('_', '-')}`, String(value)],
  );
  const command = commandOf(call, 'probe', 'activate', '--type', type, '--for', subject, ...options);
  return proposed('a probe would be activated', { applied: false, command, ...notKept, activation: null });
}

async function activate(request: ActivationRequest, call: Call): Promise<Answer> {
  const made = await keeping(call.room.secrets, request.type, async () => {
    const activated = await call.atDesk('create', (desk) => activateProbe(desk, request));
    if (activated === null) return noDatabase;
    if (!activated.ok) return activated;
    const { value } = activated;
    if (value.kind === 'full') return full(request.activeMax);
    return { ok: true, value: { secret: value.trigger, rest: value.record } };
  });
  if (!made.ok) return made;
  const { kept, rest } = made.value;
  const data = { applied: true, command: null, ...kept, activation: activationView(rest) };
  return { ok: true, value: { say: `activated ${rest.id}; ${whereKept(kept)}`, data } };
}

function full(activeMax: number) {
  const hint = 'deactivate one that list_active_probes shows';
  return complain(`${activeMax} are active already`, null, hint);
}

/** What would be refused; how many are active is as of now. */
async function checkActivation(desk: Desk, key: ProbeKey, activeMax: number) {
  const signer = signerOf(desk, key);
  if (!signer.ok) return signer;
  const page = await listProbes(desk, { ...key, limit: 1000, after: null });
  if (!page.ok) return page;
  const active = page.value.activations.filter(({ expiresAt }) => expiresAt > desk.now());
  return active.length < activeMax ? page : full(activeMax);
}

function listTool({ named, keyOf }: Subject): Tool {
  return defineTool({
    name: 'list_active_probes',
    title: 'List active probes',
    description: 'Probes that are active or whose trigger is still right, oldest first. Never a trigger.',
    scope: 'probes:read',
    change: null,
    named,
    input: paging,
    output: { activations: v.array(activationSchema), next: nextPage },
    run: async ({ limit, after = null }, call, given) => {
      const answer = await call.atDesk('read', (desk) => listProbes(desk, { ...keyOf(given), limit, after }));
      if (answer?.ok === false) return answer;
      const activations = answer?.value.activations.map(activationView) ?? [];
      const data = { activations, next: answer?.value.next ?? null };
      return { ok: true, value: { say: countOf(activations.length, 'activation', data.next), data } };
    },
  });
}

function deactivateTool({ named, keyOf }: Subject): Tool {
  return defineTool({
    name: 'deactivate_probe',
    title: 'Deactivate a probe',
    description: 'Switches a probe off. A trigger that is out stays right until its own end.',
    scope: 'probes:write',
    change: { destructive: true, idempotent: true },
    named,
    input: { activationId: text('its activation_id') },
    output: { ...changed, activation_id: v.string(), deactivated_at: v.nullable(v.string()) },
    run: async ({ activationId }, call, given) => {
      const key = keyOf(given);
      if (!call.applies) {
        const isThere = await call.atDesk('read', (desk) => isListed(desk, key, activationId));
        if (isThere !== true) return unknownActivation;
        const words = ['probe', 'deactivate', '--type', key.type, '--for', key.subject, activationId];
        const data = { activation_id: activationId, deactivated_at: null };
        return proposed('a probe would be switched off', {
          applied: false,
          command: commandOf(call, ...words),
          ...data,
        });
      }
      const ended = await call.atDesk('change', (desk) => deactivateProbe(desk, key, activationId));
      if (ended === null) return noDatabase;
      if (!ended.ok) return unknownActivation;
      const { id, deactivatedAt } = ended.value;
      const at = deactivatedAt === null ? null : new Date(deactivatedAt).toISOString();
      const data = { applied: true, command: null, activation_id: id, deactivated_at: at };
      return { ok: true, value: { say: `${id} is off since ${at}`, data } };
    },
  });
}

const unknownActivation = complain(
  'no activation of this type and text has this id',
  null,
  'find it with list_active_probes',
);

async function isListed(desk: Desk, key: ProbeKey, id: string): Promise<boolean> {
  let after: string | null = null;
  do {
    const page = await listProbes(desk, { ...key, limit: 1000, after });
    if (!page.ok) return false;
    if (page.value.activations.some((one) => one.id === id)) return true;
    after = page.value.next;
  } while (after !== null);
  return false;
}
