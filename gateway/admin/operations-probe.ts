/** What operators and `serve` rows do with probes: judged against the policy, asked of the store, then signed. */
import { suggest } from '../../policy/config-problem.ts';
import { activationCursor } from '../../policy/cursors.ts';
import { type ProbeChoice, payloadFields, probeSubjectFlaw } from '../../policy/probe-input.ts';
import { type Checked, type Complained, complainOf } from '../../policy/token-input.ts';
import type {
  ActivationFilter,
  ActivationPage,
  ActivationRecord,
  ProbeKey,
} from '../../store/probe-store.ts';
import { goesOn } from './cursors.ts';
import type { Desk } from './operations.ts';

export type ActivationRequest = ProbeKey & {
  readonly choice: ProbeChoice;
  /** How many of its type and subject there may be at a time. */
  readonly activeMax: number;
};

/** `trigger` is made for whoever asked, and kept nowhere. */
export type Activated =
  | { readonly kind: 'activated'; readonly record: ActivationRecord; readonly trigger: string }
  | { readonly kind: 'full' };

/** Switches a probe on, and signs the trigger that turns single requests into probed ones. @throws StoreFault */
export async function activateProbe(
  desk: Desk,
  { choice, activeMax, ...key }: ActivationRequest,
): Promise<Checked<Activated>> {
  const signing = signerOf(desk, key);
  if (!signing.ok) return signing;
  const record = await desk.probes.activate({ ...key, ...choice, by: desk.by }, activeMax);
  if (record === null) return { ok: true, value: { kind: 'full' } };
  return { ok: true, value: { kind: 'activated', record, trigger: signing.value(record) } };
}

/** Ends what services are told; a trigger that is out is right until its own end. @throws StoreFault */
export async function deactivateProbe(
  desk: Desk,
  key: ProbeKey,
  id: string,
): Promise<Checked<ActivationRecord>> {
  const known = keyOf(desk, key);
  if (!known.ok) return known;
  const record = await desk.probes.deactivate(known.value, id, desk.by);
  if (record !== null) return { ok: true, value: record };
  return complainOf(
    'activation_id',
    'no activation of this type and text has this id',
    null,
    'find it with probe list',
    'unknown',
  );
}

/** Oldest first. @throws StoreFault */
export async function listProbes(desk: Desk, filter: ActivationFilter): Promise<Checked<ActivationPage>> {
  const known = keyOf(desk, filter);
  if (!known.ok) return known;
  const from = goesOn(filter.after, activationCursor);
  return from.ok ? { ok: true, value: await desk.probes.list(filter) } : from;
}

function keyOf({ policy }: Desk, { type, subject }: ProbeKey): Checked<ProbeKey> {
  if (!policy.annotations.has(type)) return unknownSigned(type, [...policy.annotations.keys()]);
  const flaw = probeSubjectFlaw(subject);
  if (flaw === null) return { ok: true, value: { type, subject } };
  return complainOf('for', `no key is derived for this text: ${flaw}`, null, 'give what the rows derive for');
}

/** What is not signed has no triggers. */
export function unknownSigned(type: string, known: readonly string[]): Complained {
  return complainOf(
    'type',
    'no token type that is signed is called',
    type,
    suggest(type, known, 'the config has none'),
  );
}

/** @throws Error where the type has no key: the config was loaded without it, a mistake of ours. */
export function signerOf(desk: Desk, key: ProbeKey): Checked<(record: ActivationRecord) => string> {
  const known = keyOf(desk, key);
  if (!known.ok) return known;
  const type = desk.policy.annotations.get(key.type);
  const signer = desk.triggerSigners.get(key.type);
  if (type === undefined || signer === undefined) throw new Error(`nobody can sign for ${key.type}`);
  const { prefix, expires } = type;
  if (payloadFields.some((field) => field === expires)) {
    const hint = 'write another name as expires of the type';
    return complainOf(
      'type',
      `its triggers end at their field ${expires}, which says something else`,
      null,
      hint,
    );
  }
  const sign = (record: ActivationRecord) =>
    signer(prefix, record.subject, {
      activation_id: record.id,
      label_pattern: record.labelPattern,
      service: record.service,
      environment: record.environment,
      [expires]: new Date(record.triggerExpiresAt).toISOString(),
    });
  return { ok: true, value: sign };
}
