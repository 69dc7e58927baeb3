/** From `with` of a row about probes to what it does: whose activations, how many, and for how long. */
import type { AnnotationType } from './annotation-types.ts';
import { errorInKey, errorInValue } from './compile-context.ts';
import { checkSource, type ServeRow, type WithConfig } from './compile-serve-source.ts';
import { annotates } from './compile-type-keys.ts';
import {
  activeMaxDefault,
  lifeMsDefault,
  lifeMsMin,
  payloadFields,
  probeSubjectFlaw,
  triggerLifeMsDefault,
} from './probe-input.ts';
import type { ProbeOperation, ProbeRule } from './serve-types.ts';
import { formatDuration } from './units.ts';

/** @param isKnown whether the config has the type, whole. null: a mistake was reported. */
export function compileProbe(
  serving: ServeRow,
  operation: ProbeOperation,
  written: WithConfig,
  isKnown: boolean,
  annotations: ReadonlyMap<string, AnnotationType>,
): Omit<ProbeRule, 'confirm'> | null {
  const { at, path } = serving;
  const where = [...path, 'with'];
  if (written.derive === undefined) {
    const hint = 'write derive: "{project}", the text that makes the key the caller\'s own';
    errorInKey(at, where, `${operation} does not say for what the key is derived`, hint);
  } else {
    checkSource(serving, [...where, 'derive'], written.derive, { list: false, required: true, flawOf });
  }
  checkLives(serving, written);
  const type = isKnown && isSigned(serving, written.type) ? annotations.get(written.type) : undefined;
  if (type === undefined || written.derive === undefined) return null;
  if (operation === 'probe.activate') checkExpires(serving, type);
  return {
    kind: 'probe',
    operation,
    type,
    derive: written.derive,
    activeMax: written.active_max ?? activeMaxDefault,
    lifeMsMax: written.expires_in ?? lifeMsDefault,
    triggerLifeMsMax: written.trigger_expires_in ?? triggerLifeMsDefault,
  };
}

function flawOf(text: string): readonly [message: string, hint: string] | null {
  const flaw = probeSubjectFlaw(text);
  return flaw === null ? null : [`no key is derived for this: ${flaw}`, 'write derive: "{project}"'];
}

function checkLives({ at, path, operation }: ServeRow, written: WithConfig): void {
  if (operation !== 'probe.activate') return;
  for (const key of ['expires_in', 'trigger_expires_in'] as const) {
    if ((written[key] ?? lifeMsMin) >= lifeMsMin) continue;
    const message = `nobody can ask for less than ${formatDuration(lifeMsMin)}, so for nothing`;
    errorInValue(at, [...path, 'with', key], message, 'write 1h');
  }
}

/** Only who has a key can sign. */
function isSigned({ at, path }: ServeRow, name: string): boolean {
  const type = at.config.token_types[name];
  if (type === undefined || annotates(type)) return true;
  const hint = 'name a type with format: signed and use: annotate';
  errorInValue(at, [...path, 'with', 'type'], `tokens of type "${name}" are not signed`, hint);
  return false;
}

/** A payload has each field once. */
function checkExpires({ at, path }: ServeRow, { name, expires }: AnnotationType): void {
  if (!payloadFields.some((field) => field === expires)) return;
  const message = `triggers of type "${name}" end at their field "${expires}", which says something else here`;
  const hint = `write another name as expires under token_types.${name}`;
  errorInValue(at, [...path, 'with', 'type'], message, hint);
}
