/** What an upstream's answer changes here: pins, and tokens that it made or ended. Reads plain values; changes nothing. */
import type { JsonFound } from './json-scan.ts';
import type {
  Answered,
  LearnedToken,
  Observe,
  ObservedAttribute,
  ObservedChange,
  ObservedChanges,
  ObservedPin,
  ObservedToken,
  ObservedValue,
  Observing,
  SecretSource,
} from './observe-types.ts';
import { pinSubject, pinValueFlaw, pinValueUnitsMax } from './pin-value.ts';
import { isSecret } from './secret-attributes.ts';
import { checkAttributes, labelOf } from './token-input.ts';
import type { AttributeValue, TokenRecord, TokenType } from './token-types.ts';
import type { Match, Permit, Policy } from './types.ts';

/** What a 2xx to this request would change; null: nothing. @throws Error where a row names a parameter it has not. */
export function observingOf({ route, params }: Match): Observing | null {
  const rule = route.observe;
  if (rule === null) return null;
  for (const param of rule.entries.flatMap(paramsOf)) {
    if ((params.get(param) ?? '') === '') throw new Error('a row observes a parameter it does not have');
  }
  return { rule, params };
}

/** The path parameters that an entry reads. */
export function paramsOf(entry: Observe): readonly string[] {
  if (entry.kind === 'pin') return [entry.param];
  return valuesOf(entry).flatMap(({ from }) => (from.kind === 'param' ? [from.param] : []));
}

/** Every value that an entry reads for a token's record. */
export function valuesOf(entry: Observe): readonly ObservedValue[] {
  if (entry.kind === 'pin' || entry.kind === 'caller') return [];
  return entry.kind === 'end' || entry.label === null ? entry.attributes : [...entry.attributes, entry.label];
}

/** Whose pin it is, by its subject: `project=prj_a`. */
export function subjectOf({ owner, param }: ObservedPin, { params }: Observing): string {
  return pinSubject(owner, params.get(param) ?? '');
}

type Reader = {
  readonly types: Policy['types'];
  readonly token: TokenRecord | null;
  readonly observing: Observing;
  readonly answered: Answered;
};

/** What is found to be read otherwise than it must be; nothing of it may be done then. */
class Unreadable extends Error {}

const order: readonly ObservedChange['kind'][] = ['pin', 'revoke', 'end', 'learn'];

/**
 * All that an answer changes, or why that cannot be told. What ends comes before what is learned, so that no entry
 * ends what another has just brought. @throws Error for what no config lets come here
 */
export function readChanges(
  { types }: Pick<Policy, 'types'>,
  { observing, token }: Pick<Permit, 'observing' | 'token'>,
  answered: Answered,
): ObservedChanges {
  if (observing === null) return { ok: true, changes: [] };
  const reader = { types, token, observing, answered };
  try {
    const changes = observing.rule.entries.flatMap((entry) => changeOf(entry, reader) ?? []);
    return { ok: true, changes: changes.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)) };
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, reason: error.message };
    throw error;
  }
}

/** null: it changes nothing. @throws Unreadable */
function changeOf(entry: Observe, reader: Reader): ObservedChange | null {
  switch (entry.kind) {
    case 'pin':
      return pinOf(entry, reader);
    case 'token':
      return tokenOf(entry, reader);
    case 'end': {
      const type = typeOf(entry.type, reader);
      const attributes = attributesOf(type, entry.attributes, reader);
      if (attributes.size === 0) throw new Error('every token of a type would end');
      return { kind: 'end', type, attributes };
    }
    case 'caller':
      if (reader.token === null) throw new Error('a row ends the token of nobody');
      return { kind: 'revoke', id: reader.token.id };
  }
}

function typeOf(name: string, { types }: Reader): TokenType {
  const type = types.get(name);
  if (type === undefined) throw new Error('a row observes a type that is not there');
  return type;
}

/** A text is the new value, null or "" lets go, nothing there changes nothing. */
function pinOf(entry: ObservedPin, { answered, observing }: Reader): ObservedChange | null {
  const { pin, pointer } = entry;
  const found = answered.found.get(pointer);
  if (found === undefined) return null;
  const subject = subjectOf(entry, observing);
  const value = found.kind === 'null' ? '' : textOf(found, `pin ${pin}`);
  if (value === null) throw unreadable(`pin ${pin}`, `it is longer than ${pinValueUnitsMax} characters`);
  if (value === '') return { kind: 'pin', pin, subject, value: null };
  const flaw = pinValueFlaw(value);
  if (flaw !== null) throw unreadable(`pin ${pin}`, flaw);
  return { kind: 'pin', pin, subject, value };
}

/** null: the answer holds no token. */
function tokenOf(entry: ObservedToken, reader: Reader): ObservedChange | null {
  const type = typeOf(entry.type, reader);
  const plaintext = secretOf(entry.from, type, reader.answered);
  if (plaintext === null) return null;
  const attributes = attributesOf(type, entry.attributes, reader);
  const label = entry.label === null ? null : read(entry.label, 'label', reader);
  return {
    kind: 'learn',
    type,
    plaintext,
    attributes,
    owners: entry.attributes
      .filter(({ name, from }) => from.kind === 'json' && isOwner(type, name))
      .map(({ name }) => name),
    scopes: 'fixed' in type.scopes ? type.scopes.fixed : entry.scopes,
    label: label !== null && labelOf(label).ok ? label : type.name,
    lifeMs: entry.lifeMs,
    insteadOf: entry.insteadOf.length === 0 ? null : partOf(attributes, entry.insteadOf),
  };
}

/** A csrf text is required too, and says nothing of whose the token is. */
function isOwner(type: TokenType, name: string): boolean {
  return type.attributes.get(name)?.required === true && !isSecret(type, name);
}

/** Whether what is kept of a token names somebody else than the upstream's answer does. */
export function isAnothers({ attributes, owners }: LearnedToken, kept: TokenRecord): boolean {
  return owners.some((name) => String(attributes.get(name)) !== String(kept.attributes.get(name)));
}

/** @throws Error where one is missing: fewer attributes would end more tokens. */
function partOf(
  attributes: ReadonlyMap<string, AttributeValue>,
  names: readonly string[],
): ReadonlyMap<string, AttributeValue> {
  return new Map(
    names.map((name) => {
      const value = attributes.get(name);
      if (value === undefined) throw new Error('what a token stands instead of is not among its attributes');
      return [name, value];
    }),
  );
}

function secretOf(from: SecretSource, { name }: TokenType, { found, cookies }: Answered): string | null {
  const what = `token of type ${name}`;
  if (from.kind === 'json') {
    const at = found.get(from.pointer);
    if (at === undefined || at.kind === 'null') return null;
    const text = textOf(at, what);
    if (text === null) throw unreadable(what, 'it is too long');
    return text === '' ? null : text;
  }
  const [value = '', second] = cookies.get(from.name) ?? [];
  if (second !== undefined) throw unreadable(what, 'its cookie is set twice');
  return value === '' ? null : value;
}

/** Each of them with a value that a token can have. @throws Unreadable */
function attributesOf(
  type: TokenType,
  attributes: readonly ObservedAttribute[],
  reader: Reader,
): ReadonlyMap<string, AttributeValue> {
  const values = new Map<string, AttributeValue>();
  for (const attribute of attributes) {
    const { name, list, needed } = attribute;
    const value = read(attribute, `attribute ${name}`, reader);
    if (value === null) {
      if (needed) throw unreadable(`attribute ${name}`, 'there is none');
      continue;
    }
    values.set(name, list ? [value] : value);
  }
  const checked = checkAttributes(type, values);
  if (!checked.ok) throw new Unreadable(checked.complaint.message);
  return checked.value;
}

/** null: there is none. @throws Unreadable */
function read({ from, otherwise, among }: ObservedValue, what: string, reader: Reader): string | null {
  const { token, observing, answered } = reader;
  switch (from.kind) {
    case 'text':
      return from.text;
    case 'param':
      return observing.params.get(from.param) ?? otherwise;
    case 'attribute': {
      const value = token?.attributes.get(from.name);
      return typeof value === 'string' ? value : otherwise;
    }
    case 'header': {
      const [value = '', second] = answered.fields.get(from.name) ?? [];
      // What a caller says badly must not make an answer unreadable that the upstream gave.
      const isOne =
        second === undefined && header.test(value) && (among === undefined || among.includes(value));
      return isOne ? value : otherwise;
    }
    case 'json': {
      const found = answered.found.get(from.pointer);
      if (found === undefined || found.kind === 'null') return otherwise;
      const text = textOf(found, what);
      if (text === null) throw unreadable(what, 'it is too long');
      return text === '' ? otherwise : text;
    }
  }
}

/** What an attribute or a label can be. */
const header = /^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/;

/** null: longer than anybody asks to know. @throws Unreadable */
function textOf(found: JsonFound, what: string): string | null {
  if (found.kind !== 'string') throw unreadable(what, 'it is not a text');
  return found.value;
}

function unreadable(what: string, reason: string): Unreadable {
  return new Unreadable(`no value for ${what}: ${reason}`);
}
