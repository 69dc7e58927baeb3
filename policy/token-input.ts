/**
 * What people write of a token (its type, label, scopes, attributes, origins), read against the
 * policy. Complaints keep what was written apart from the words about it, so that a face which must
 * not repeat its input can leave it out. Decides nothing about requests.
 */
import { suggest } from './config-problem.ts';
import { normaliseOrigin } from './origin.ts';
import { hiddenValue, isSecret } from './secret-attributes.ts';
import type { AttributeValue, TokenType } from './token-types.ts';
import { toldName } from './told-name.ts';
import type { Policy } from './types.ts';

export type Complaint = {
  readonly message: string;
  /** What was written; null: nothing that helps. */
  readonly given: string | null;
  /** What to write instead. */
  readonly hint: string;
  /** The field that it is about, in the words of the admin API: `label`, `scopes.2`, `attributes.project`. Absent: no single one. */
  readonly path?: string;
  /**
   * Where it is not about how something was written. `unknown`: nothing of that name is there; `conflict`: what is there
   * does not allow it; `stale`: it is not what whoever asks has seen; `full`: there is no room; `forbidden`: whoever asks may not; `unsaid`: it could be several, and
   * was not said. Absent: it is.
   */
  readonly kind?: 'unknown' | 'conflict' | 'stale' | 'full' | 'forbidden' | 'unsaid';
};

export type Complained = { readonly ok: false; readonly complaint: Complaint };

export type Checked<T> = { readonly ok: true; readonly value: T } | Complained;

const originsMax = 20;
const originBytesMax = 2048;
/** Printable ASCII; no space at either end, where header parsers would cut it off. */
export const attributeText = /^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/;
/** No control, formatting, surrogate or private characters: a label must look like what it is. */
const labelText = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\ufffd]{1,120}$/u;

/** In one line, with what was written. */
export function wordComplaint({ message, given, hint }: Complaint): string {
  return given === null ? `${message}; ${hint}` : `${message} ${JSON.stringify(given)}; ${hint}`;
}

export function complain(
  message: string,
  given: string | null,
  hint: string,
  kind?: Complaint['kind'],
): Complained {
  const complaint = { message, given, hint };
  return { ok: false, complaint: kind === undefined ? complaint : { ...complaint, kind } };
}

/** As `complain`, about one field. */
export function complainOf(
  path: string,
  message: string,
  given: string | null,
  hint: string,
  kind?: Complaint['kind'],
): Complained {
  return ofField(path, complain(message, given, hint, kind));
}

/** The same, and a complaint is about this field, whatever field it was about. */
export function ofField<Judged extends Checked<unknown>>(path: string, judged: Judged): Judged {
  return judged.ok ? judged : { ...judged, complaint: { ...judged.complaint, path } };
}

export function typeNamed(policy: Policy, name: string): Checked<TokenType> {
  const type = policy.types.get(name);
  if (type !== undefined) return { ok: true, value: type };
  if (policy.annotations.has(name)) {
    const hint = 'whoever has the key signs them';
    return complainOf(
      'type',
      `tokens of type ${name} only annotate: they stand for nobody, and are not issued here`,
      null,
      hint,
    );
  }
  const hint = suggest(name, policy.types.keys(), 'the config defines no token types');
  if (mayBeToken(policy, name)) {
    return complainOf('type', 'that is no token type, and may be a token', null, `name its type; ${hint}`);
  }
  return complainOf('type', 'unknown token type', name, hint);
}

/** Pasted where its type belongs; what it is not told of is in no error, log or answer. */
function mayBeToken({ prefixes }: Policy, text: string): boolean {
  return text.length > 64 || (text.length >= 16 && prefixes.some(({ prefix }) => text.startsWith(prefix)));
}

/** A type whose tokens are Postern's to issue, because it verifies them too. */
export function ownTypeNamed(policy: Policy, name: string): Checked<TokenType> {
  const type = typeNamed(policy, name);
  if (!type.ok || type.value.verify === undefined) return type;
  const hint = 'get one there; a type without verify: upstream has tokens issued and verified here';
  return complainOf('type', `tokens of type ${name} are issued and verified by the upstream`, null, hint);
}

/** Whether tokens of the type can hold these scopes; each comes out once. */
export function heldScopes(type: TokenType, scopes: readonly string[]): Checked<readonly string[]> {
  const holdable = 'fixed' in type.scopes ? type.scopes.fixed : type.scopes.grantable;
  const at = scopes.findIndex((scope) => !holdable.includes(scope));
  const odd = scopes[at];
  if (odd === undefined) return { ok: true, value: [...new Set(scopes)] };
  const hint = suggest(odd, holdable, `tokens of type ${type.name} hold no scopes`);
  return complainOf(`scopes.${at}`, `no token of type ${type.name} can hold the scope`, odd, hint);
}

/** The scopes a new token is given: chosen where the type lets choose, else the type's own. */
export function grantedScopes(type: TokenType, scopes: readonly string[]): Checked<readonly string[]> {
  if (!('fixed' in type.scopes)) return heldScopes(type, scopes);
  if (scopes.length === 0) return { ok: true, value: type.scopes.fixed };
  const always = type.scopes.fixed.join(', ') || 'none';
  const hint = `leave them out; it has ${always}`;
  return complainOf('scopes', `the scopes of type ${type.name} are fixed`, null, hint);
}

/** `name=value` words; a list attribute takes the word several times. */
export function attributesOfPairs(
  type: TokenType,
  pairs: readonly string[],
): Checked<ReadonlyMap<string, AttributeValue>> {
  const attributes = new Map<string, AttributeValue>();
  for (const [index, pair] of pairs.entries()) {
    const at = pair.indexOf('=');
    if (at < 1) return complainOf(`attributes.${index}`, 'not an attribute', pair, 'write name=value');
    const name = pair.slice(0, at);
    const value = pair.slice(at + 1);
    const before = attributes.get(name);
    if (type.attributes.get(name)?.list === true) attributes.set(name, [...(before ?? []), value]);
    else if (before === undefined) attributes.set(name, value);
    else return complainOf(pathOf(type, name), 'attribute given twice:', name, 'it is one text, not a list');
  }
  return checkAttributes(type, attributes);
}

/** Names, shapes and characters; whether required ones are missing is `lacksNothing`. */
export function checkAttributes(
  type: TokenType,
  attributes: ReadonlyMap<string, AttributeValue>,
): Checked<ReadonlyMap<string, AttributeValue>> {
  for (const [name, value] of attributes) {
    const rule = type.attributes.get(name);
    const path = pathOf(type, name);
    if (rule === undefined) {
      const hint = suggest(name, type.attributes.keys(), `tokens of type ${type.name} have no attributes`);
      return complainOf(path, `tokens of type ${type.name} have no attribute`, name, hint);
    }
    if (rule.list !== (typeof value !== 'string')) {
      const shape = rule.list ? 'is a list' : 'is one text, not a list';
      const hint = rule.list ? 'give a list' : 'give one value';
      return complainOf(path, `attribute ${name} ${shape}`, null, hint);
    }
    for (const [index, item] of [value].flat().entries()) {
      const place = rule.list ? `${path}.${index}` : path;
      if (!attributeText.test(item)) {
        const hint = 'use 1 to 200 printable ASCII characters, without a space at either end';
        return complainOf(place, `attribute ${name} has a value that no header could carry`, null, hint);
      }
      if (item === hiddenValue && isSecret(type, name)) {
        const message = `${hiddenValue} stands for a value of ${name} that is not shown`;
        return complainOf(place, message, null, 'give the value itself');
      }
      if (rule.list && item.includes(',')) {
        return complainOf(place, `an item of ${name} holds a comma`, null, 'give each item by itself');
      }
    }
  }
  return { ok: true, value: attributes };
}

/** One that the type has is told as it is; any other may be anything. */
function pathOf(type: TokenType, attribute: string): string {
  return `attributes.${type.attributes.has(attribute) ? attribute : toldName(attribute)}`;
}

/** Refuses where a required attribute is missing or an empty list. */
export function lacksNothing(
  type: TokenType,
  attributes: ReadonlyMap<string, AttributeValue>,
): Checked<ReadonlyMap<string, AttributeValue>> {
  for (const [name, rule] of type.attributes) {
    if (!rule.required || (attributes.get(name)?.length ?? 0) > 0) continue;
    const message = `tokens of type ${type.name} need the attribute ${name}`;
    return complainOf(pathOf(type, name), message, null, `give ${name}`);
  }
  return { ok: true, value: attributes };
}

export function labelOf(label: string): Checked<string> {
  if (labelText.test(label)) return { ok: true, value: label };
  return complainOf('label', 'not a label', null, 'use 1 to 120 printable characters');
}

/** What people copy from an address bar is more than an origin: the path goes, anything else stays to be refused. */
function withoutPath(text: string): string {
  const [, origin = text] = /^(https?:\/\/[^/?#\\@\s]+)\/[\x21-\x7e]*$/i.exec(text) ?? [];
  return text.length > originBytesMax ? '' : origin;
}

/** Each in its one spelling, without a path, once, sorted. */
export function originsOf(texts: readonly string[]): Checked<readonly string[]> {
  const origins = new Set<string>();
  for (const [index, text] of texts.entries()) {
    const origin = normaliseOrigin(withoutPath(text));
    if (origin === null) {
      const hint = 'write scheme://host[:port]: https://app.example.com';
      return complainOf(`origins.${index}`, 'not an origin', text, hint);
    }
    origins.add(origin);
  }
  if (origins.size > originsMax) {
    return complainOf('origins', `${origins.size} origins are too many`, null, `give at most ${originsMax}`);
  }
  return { ok: true, value: [...origins].sort() };
}
