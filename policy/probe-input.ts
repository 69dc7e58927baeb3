/** What people say of an activation, read alike from a body and from a command line. Complaints repeat nothing of it. */
import { attributeText, type Checked, complainOf } from './token-input.ts';

/** The longest lives that may be asked for, in ms. */
export type ProbeCaps = { readonly lifeMsMax: number; readonly triggerLifeMsMax: number };

export type ProbeChoice = {
  /** These three can stand in an identity header: printable ASCII, no space at either end. */
  readonly labelPattern: string;
  readonly service: string;
  readonly environment: string;
  readonly lifeMs: number;
  readonly triggerLifeMs: number;
};

/** The fields of a trigger's payload beside the one that says until when it holds. */
export const payloadFields = ['activation_id', 'label_pattern', 'service', 'environment'] as const;

/** `sample_rate` is known and means nothing: clients send it. */
export const activationKeys = [
  'label_pattern',
  'service',
  'environment',
  'ttl_seconds',
  'trigger_ttl_seconds',
  'sample_rate',
] as const;

export const lifeMsMin = 60_000;
export const activeMaxDefault = 5;
export const lifeMsDefault = 3_600_000;
export const triggerLifeMsDefault = 86_400_000;

const everything = '*';
const subjectUnitsMax = 200;

/** Why no key is derived for a text; null: it can be. Two texts that UTF-8 could not tell apart are none. */
export function probeSubjectFlaw(text: string): string | null {
  if (text === '') return 'it is empty';
  if (text.length > subjectUnitsMax) return `it is longer than ${subjectUnitsMax} characters`;
  if (/\p{Cc}/u.test(text)) return 'it holds a control character';
  return text.isWellFormed() ? null : 'it is not well-formed Unicode';
}

/** @param said by the names of `activationKeys`; undefined: not said. */
export function probeChoiceOf(
  said: Readonly<Record<string, unknown>>,
  { lifeMsMax, triggerLifeMsMax }: ProbeCaps,
): Checked<ProbeChoice> {
  const labelPattern = textOf('label_pattern', said.label_pattern);
  if (!labelPattern.ok) return labelPattern;
  const service = textOf('service', said.service ?? everything);
  if (!service.ok) return service;
  const environment = textOf('environment', said.environment ?? everything);
  if (!environment.ok) return environment;
  const life = lifeOf('ttl_seconds', said.ttl_seconds, lifeMsMax);
  if (!life.ok) return life;
  const triggerLife: Checked<number> =
    said.trigger_ttl_seconds === undefined
      ? { ok: true, value: Math.min(life.value, triggerLifeMsMax) }
      : lifeOf('trigger_ttl_seconds', said.trigger_ttl_seconds, triggerLifeMsMax);
  if (!triggerLife.ok) return triggerLife;
  return {
    ok: true,
    value: {
      labelPattern: labelPattern.value,
      service: service.value,
      environment: environment.value,
      lifeMs: life.value,
      triggerLifeMs: triggerLife.value,
    },
  };
}

function textOf(name: string, value: unknown): Checked<string> {
  if (typeof value === 'string' && attributeText.test(value)) return { ok: true, value };
  const hint = 'use 1 to 200 printable ASCII characters, without a space at either end';
  return complainOf(name, `${name} is missing, or nothing that a header could carry`, null, hint);
}

function lifeOf(name: string, seconds: unknown, msMax: number): Checked<number> {
  const ms = typeof seconds === 'number' && Number.isInteger(seconds) ? seconds * 1000 : 0;
  if (ms >= lifeMsMin && ms <= msMax) return { ok: true, value: ms };
  const hint = `write a whole number from ${lifeMsMin / 1000} to ${Math.floor(msMax / 1000)}`;
  return complainOf(name, `${name} is missing, or no life that may be asked for`, null, hint);
}
