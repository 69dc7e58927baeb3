/** The fields of a token, as a form has them: shown, read, and judged one by one so that each says what is wrong with it. */
import { html } from 'hono/html';
import { type AdminScope, adminScopes } from '../../policy/admin-type.ts';
import {
  type Complaint,
  checkAttributes,
  labelOf,
  lacksNothing,
  originsOf,
} from '../../policy/token-input.ts';
import type { AttributeValue, TokenType } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { parseDuration } from '../../policy/units.ts';
import { linesOf, listOf } from './dash-form.ts';
import type { Html } from './dash-page.ts';
import { areaField, capital, choiceField, tags, textField } from './dash-parts.ts';

export type TokenFields = {
  readonly label: string;
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly origins: readonly string[];
  /** As written: `90d`; '': never. */
  readonly expiresIn: string;
};

/** What is wrong, by the name of the field. */
export type Flaws = ReadonlyMap<string, string>;

export const noFlaws: Flaws = new Map();

export const noFields: TokenFields = {
  label: '',
  scopes: [],
  attributes: new Map(),
  origins: [],
  expiresIn: '',
};

export function readFields(form: URLSearchParams, type: TokenType): TokenFields {
  const attributes = new Map<string, AttributeValue>();
  for (const [name, { list }] of type.attributes) {
    const text = (form.get(`attribute.${name}`) ?? '').trim();
    if (text !== '') attributes.set(name, list ? linesOf(text) : text);
  }
  return {
    label: (form.get('label') ?? '').trim(),
    scopes: form.getAll('scope'),
    attributes,
    origins: listOf(form.get('origins') ?? ''),
    expiresIn: (form.get('expires_in') ?? '').trim(),
  };
}

/** All that is wrong with them, so that nobody is sent back twice. */
export function flawsOf({ label, attributes, origins, expiresIn }: TokenFields, type: TokenType): Flaws {
  const flaws = new Map<string, string>();
  const named = labelOf(label);
  if (!named.ok) {
    flaws.set('label', label === '' ? 'Write what people know it by.' : sentence(named.complaint));
  }
  for (const [name, rule] of type.attributes) {
    const value = attributes.get(name);
    if (value === undefined && rule.required) {
      flaws.set(`attribute.${name}`, `Write it: tokens of type ${type.name} need one.`);
    }
    if (value === undefined) continue;
    const checked = checkAttributes(type, new Map([[name, value]]));
    if (!checked.ok) flaws.set(`attribute.${name}`, sentence(checked.complaint));
  }
  const read = originsOf(origins);
  if (!read.ok) flaws.set('origins', sentence(read.complaint));
  const duration = expiresIn === '' ? null : parseDuration(expiresIn);
  if (duration?.ok === false) flaws.set('expires_in', `${capital(duration.message)}: ${duration.hint}.`);
  // What is checked of all together says nothing that was not said.
  if (flaws.size === 0 && !lacksNothing(type, attributes).ok) flaws.set('', 'Something is missing.');
  return flaws;
}

/** null: never. Of what has no flaw. */
export function expiresInMs(text: string): number | null {
  const duration = text === '' ? null : parseDuration(text);
  return duration?.ok === true ? duration.value : null;
}

/** With what was written: it goes to whoever wrote it. */
export function sentence({ message, given, hint }: Complaint): string {
  return `${capital(message)}${given === null ? '' : ` “${given}”`}: ${hint}.`;
}

/** What operators' own scopes let. */
const adminSentences: Readonly<Record<AdminScope, string>> = {
  'tokens:read': 'List and show tokens',
  'tokens:write': 'Make, change and end tokens',
  'pins:read': 'List and show pins',
  'pins:write': 'Set and reset pins',
  'probes:read': 'List probes',
  'probes:write': 'Activate and deactivate probes',
  'audit:read': 'Read who changed what',
  'alerts:read': 'Read what was noticed',
  'alerts:write': 'Acknowledge alerts',
  'audit:write': 'Purge what is old of it',
  'usage:read': 'How often tokens were used, and where last',
  'tail:read': 'Every decision as it is made',
  'config:read': 'The matrix, and explain',
  'config:write': 'Have the gateway reload its config',
  'sessions:write': 'See and end sessions of others',
};

export function scopeSentence(policy: Policy, scope: string): string {
  const own = adminScopes.find((one) => one === scope);
  return policy.scopes.get(scope) ?? (own === undefined ? '' : adminSentences[own]);
}

export function labelField(value: string, flaws: Flaws): Html {
  const hint = 'What people know it by: who uses it, and where.';
  return textField({
    name: 'label',
    label: 'Label',
    hint,
    flaw: flaws.get('label') ?? null,
    value,
    required: true,
  });
}

/** @param offered null: those that the type grants. */
export function scopeField(
  policy: Policy,
  type: TokenType,
  chosen: readonly string[],
  flaws: Flaws,
  offered: readonly string[] | null = null,
): Html {
  if ('fixed' in type.scopes) {
    return html`<div class="field"><p class="label">Scopes</p>
<p class="hint">Every token of type ${type.name} has these, and no others.</p>${tags(type.scopes.fixed, 'none')}</div>`;
  }
  const { grantable } = type.scopes;
  return choiceField({
    name: 'scope',
    label: 'Scopes',
    hint: 'What it may do. Choose as few as will do: more can be added later.',
    flaw: flaws.get('scope') ?? null,
    choices: grantable
      .filter((scope) => offered === null || offered.includes(scope))
      .map((scope) => ({
        value: scope,
        sentence: scopeSentence(policy, scope),
        isChosen: chosen.includes(scope),
      })),
  });
}

export function attributeFields(type: TokenType, { attributes }: TokenFields, flaws: Flaws): readonly Html[] {
  return [...type.attributes].map(([attribute, { required, list }]) => {
    const name = `attribute.${attribute}`;
    const value = [attributes.get(attribute) ?? []].flat();
    const label = `${attribute}${required ? '' : ' (optional)'}`;
    const flaw = flaws.get(name) ?? null;
    if (list) {
      return areaField({ name, label, hint: 'One a line.', flaw, value: value.join('\n'), rows: 3 });
    }
    const field = { name, label, hint: null, flaw, value: value[0] ?? '' };
    return textField(required ? { ...field, required } : field);
  });
}

export function originField(origins: readonly string[], flaws: Flaws): Html {
  return areaField({
    name: 'origins',
    label: 'Allowed origins (optional)',
    hint: 'Pages it may be used from, one a line or with commas between: https://app.example.com. Empty: anywhere.',
    flaw: flaws.get('origins') ?? null,
    value: origins.join('\n'),
    rows: 3,
  });
}

export function expiryField(value: string, flaws: Flaws): Html {
  return textField({
    name: 'expires_in',
    label: 'Expires in (optional)',
    hint: 'A time from now: 24h, 30d, 90d, 365d. Empty: never.',
    flaw: flaws.get('expires_in') ?? null,
    value,
    suggestions: ['24h', '30d', '90d', '365d'],
  });
}
