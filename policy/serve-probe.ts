/** What a row about probes does for one request: whose activations, and what the caller chose. */
import { activationCursor } from './cursors.ts';
import { denied } from './denial.ts';
import { activationKeys, type ProbeChoice, probeChoiceOf, probeSubjectFlaw } from './probe-input.ts';
import { invalid, pathOf, readObject, readPage, textsOf } from './serve-read.ts';
import type { ProbeRule, ProbeServing, ServeOperation } from './serve-types.ts';
import type { Match, Outcome, Permit } from './types.ts';

const activationIdCharsMax = 200;
const deactivationKeys: readonly string[] = ['activation_id'];

const nothing: Outcome<null> = { ok: true, value: null };
const noKeys: Outcome<Readonly<Record<string, unknown>>> = { ok: true, value: {} };

/** The keys its body may have; null: the operation is not about probes. */
export function probeKeysOf(operation: ServeOperation): readonly string[] | null {
  if (operation === 'probe.activate') return activationKeys;
  if (operation === 'probe.deactivate') return deactivationKeys;
  return operation === 'probe.list' ? [] : null;
}

/** @param text as `servingOf` has it. */
export function probeServingOf(
  rule: ProbeRule,
  { params }: Match,
  { token, facts }: Permit,
  text: string | null,
): Outcome<ProbeServing> {
  const [subject = '', second] = textsOf(rule.derive, params, token);
  if (second !== undefined || probeSubjectFlaw(subject) !== null) {
    return denied('record_not_found', 'no key is derived for what the path or the token says');
  }
  const said = text === null ? noKeys : readObject(rule.operation, text, probeKeysOf(rule.operation) ?? []);
  if (!said.ok) return said;
  const choice = rule.operation === 'probe.activate' ? readActivation(said.value, rule) : nothing;
  if (!choice.ok) return choice;
  const id = rule.operation === 'probe.deactivate' ? readId(said.value) : nothing;
  if (!id.ok) return id;
  const page = rule.operation === 'probe.list' ? readPage(facts.query, activationCursor) : nothing;
  if (!page.ok) return page;
  const confirmPath = rule.confirm === null ? null : pathOf(rule.confirm.segments, params);
  const read = { choice: choice.value, activationId: id.value, page: page.value };
  return { ok: true, value: { kind: 'probe', rule, subject, confirmPath, ...read } };
}

function readActivation(said: Readonly<Record<string, unknown>>, rule: ProbeRule): Outcome<ProbeChoice> {
  const choice = probeChoiceOf(said, rule);
  return choice.ok ? choice : invalid(choice.complaint.message);
}

/** Opaque: whatever it is, either there is one of that id or there is not. */
function readId({ activation_id: id }: Readonly<Record<string, unknown>>): Outcome<string> {
  if (typeof id !== 'string' || id === '' || id.length > activationIdCharsMax) {
    return invalid(`activation_id is missing, or not 1 to ${activationIdCharsMax} characters`);
  }
  return { ok: true, value: id };
}
