/** What a row that Postern answers itself does for one request: whose tokens or probes, and what the caller chose. */
import { tokenCursor } from './cursors.ts';
import { denied } from './denial.ts';
import type { JsonScan } from './json-scan.ts';
import { probeKeysOf, probeServingOf } from './serve-probe.ts';
import { invalid, paramOf, pathOf, readObject, readPage, textsOf } from './serve-read.ts';
import type {
  ServedAttribute,
  ServeOperation,
  ServeRule,
  Serving,
  TokenChoice,
  TokenRule,
  TokenServing,
} from './serve-types.ts';
import { checkAttributes, labelOf, lacksNothing, originsOf } from './token-input.ts';
import type { AttributeValue, TokenRecord, TokenType } from './token-types.ts';
import type { Match, Outcome, Permit } from './types.ts';
import { parseDuration } from './units.ts';

const choiceKeys: readonly string[] = ['label', 'allowed_origins', 'origins'];
const lifeKeys: readonly string[] = [...choiceKeys, 'expires_in', 'ttl'];
const graceKeys: readonly string[] = ['grace'];

/** The keys an operation may read; of each, no body may have two. */
export function payloadKeysOf(operation: ServeOperation): readonly string[] {
  return probeKeysOf(operation) ?? [...lifeKeys, ...graceKeys];
}

/** Ten years: what lives longer has no end. */
export const graceMsMax = 3650 * 86_400_000;

/**
 * The row's `with` for this request.
 *
 * @param text the body, which has been found to be JSON; null: the operation reads none.
 */
export function servingOf(
  rule: ServeRule,
  match: Match,
  permit: Permit,
  text: string | null,
): Outcome<Serving> {
  return rule.kind === 'probe'
    ? probeServingOf(rule, match, permit, text)
    : tokenServingOf(rule, match, permit, text);
}

function tokenServingOf(
  rule: TokenRule,
  { params }: Match,
  { token, scopes, facts }: Permit,
  text: string | null,
): Outcome<Serving> {
  const attributes = attributesOf(rule, params, token);
  if (attributes === null) return denied('record_not_found', 'no token could have what the path says');
  const said = readPayload(rule, text);
  if (!said.ok) return said;
  const page = rule.operation === 'token.list' ? readPage(facts.query, tokenCursor) : nothing;
  if (!page.ok) return page;
  return {
    ok: true,
    value: {
      kind: 'token',
      rule,
      attributes,
      scopes: rule.scopes === 'caller' ? heldBy(rule.type, scopes) : rule.scopes,
      graceMs: said.value.graceMs,
      tokenId: rule.tokenParam === null ? null : paramOf(params, rule.tokenParam),
      confirmPath: rule.confirm === null ? null : pathOf(rule.confirm.segments, params),
      choice: said.value.choice,
      page: page.value,
    },
  };
}

/** The same caller, asking the upstream of `confirm`: what the assertion and the identity headers are then about. */
export function confirming(permit: Permit, path: string): Permit {
  return { ...permit, facts: { ...permit.facts, method: 'GET', path, query: null } };
}

const nothing: Outcome<null> = { ok: true, value: null };

/** Of a maker's scopes those that tokens of the type may have: nobody makes a token that may do more than its maker. */
function heldBy({ scopes }: TokenType, held: readonly string[]): readonly string[] {
  return 'fixed' in scopes ? [] : scopes.grantable.filter((scope) => held.includes(scope));
}

/** null: no token can have these. */
function attributesOf(
  { type, attributes, answered }: TokenRule,
  params: Match['params'],
  caller: TokenRecord | null,
): ReadonlyMap<string, AttributeValue> | null {
  const values = new Map<string, AttributeValue>();
  for (const attribute of attributes) {
    const value = servedValue(attribute, params, caller);
    if (value.length > 0 || !attribute.mayLack) values.set(attribute.name, value);
  }
  // A list without values would ask for nothing, and so find everybody's.
  if ([...values.values()].some(({ length }) => length === 0)) return null;
  const checked = checkAttributes(type, values);
  if (!checked.ok) return null;
  const stillOpen = new Map(answered?.attributes.map(({ name }) => [name, 'said by the answer']));
  return lacksNothing(type, new Map([...stillOpen, ...checked.value])).ok ? checked.value : null;
}

/**
 * The serving with what the answer of `confirm` says of the new token. A text is the attribute; nothing there, null or ''
 * leaves an optional one out.
 *
 * @returns a reason, which repeats nothing of the answer, where it does not say what it must.
 */
export function answeredServing(serving: TokenServing, scan: JsonScan): TokenServing | string {
  const { answered, type } = serving.rule;
  if (answered === null) return serving;
  if (!scan.ok) return `not JSON as it may be: ${scan.reason}, byte ${scan.at}`;
  const attributes = new Map(serving.attributes);
  for (const { name, required, pointer } of answered.attributes) {
    const found = scan.found.get(pointer);
    const isNothing =
      found === undefined || found.kind === 'null' || (found.kind === 'string' && found.value === '');
    if (isNothing && required) return `it does not say ${name}`;
    if (isNothing) continue;
    const value = found.kind === 'string' ? found.value : null;
    if (value === null || !checkAttributes(type, new Map([[name, value]])).ok) {
      return `what it says of ${name} cannot be an attribute`;
    }
    attributes.set(name, value);
  }
  return { ...serving, attributes };
}

function servedValue(
  { list, from }: ServedAttribute,
  params: Match['params'],
  caller: TokenRecord | null,
): AttributeValue {
  const texts = from.flatMap((source) => textsOf(source, params, caller));
  if (list) return [...new Set(texts)];
  return texts.length === 1 ? (texts[0] ?? '') : '';
}

/** What a body says. */
type Payload = { readonly choice: TokenChoice | null; readonly graceMs: number };

const saysNothing: Payload = { choice: null, graceMs: 0 };

function readPayload(rule: TokenRule, text: string | null): Outcome<Payload> {
  if (text === null) return { ok: true, value: saysNothing };
  const said = readObject(rule.operation, text, keysOf(rule));
  if (!said.ok) return said;
  if (rule.operation === 'token.create') {
    const choice = readChoice(said.value, rule);
    return choice.ok ? { ok: true, value: { choice: choice.value, graceMs: 0 } } : choice;
  }
  const graceMs = graceOf(said.value.grace, rule.graceMsMax);
  if (graceMs === undefined) return invalid('not a grace that the row allows');
  return { ok: true, value: { choice: null, graceMs } };
}

/** A life or a grace that the row does not give cannot be asked for. */
function keysOf({ operation, lifeMsMax, graceMsMax }: TokenRule): readonly string[] {
  if (operation === 'token.create') return lifeMsMax === null ? choiceKeys : lifeKeys;
  return operation === 'token.regenerate' && graceMsMax > 0 ? graceKeys : [];
}

/** Opt-in: not said, or false, is none; `true` is all that the row gives. undefined: it cannot be that. */
function graceOf(said: unknown, maxMs: number): number | undefined {
  if (said === undefined || said === false) return 0;
  if (said === true) return maxMs;
  const ms = spanOf(said);
  return ms !== undefined && ms >= 0 && ms <= maxMs ? ms : undefined;
}

/** Whole seconds, or a duration: `30d`. */
function spanOf(said: unknown): number | undefined {
  if (typeof said === 'number') return Number.isInteger(said) ? said * 1000 : undefined;
  const duration = typeof said === 'string' ? parseDuration(said) : null;
  return duration?.ok === true ? duration.value : undefined;
}

function readChoice(said: Readonly<Record<string, unknown>>, rule: TokenRule): Outcome<TokenChoice> {
  const label = typeof said.label === 'string' ? labelOf(said.label) : null;
  if (label?.ok !== true) return invalid('label is missing, or not 1 to 120 printable characters');
  if (said.allowed_origins !== undefined && said.origins !== undefined) {
    return invalid('allowed_origins and origins are the same');
  }
  const written = said.allowed_origins ?? said.origins ?? [];
  if (!Array.isArray(written) || !written.every((one) => typeof one === 'string')) {
    return denied('origins_invalid', 'not a list of texts');
  }
  const origins = originsOf(written);
  if (!origins.ok) return denied('origins_invalid', origins.complaint.message);
  const lifeMs = lifeOf(said, rule.lifeMsMax);
  if (lifeMs === undefined) return invalid('not a life that the row allows');
  return { ok: true, value: { label: label.value, origins: origins.value, lifeMs } };
}

/** `ttl` in whole seconds, `expires_in` too or as a duration: `30d`. undefined: it cannot be that. */
function lifeOf(said: Readonly<Record<string, unknown>>, maxMs: number | null): number | null | undefined {
  const { ttl, expires_in: expiresIn } = said;
  if (maxMs === null || (ttl === undefined && expiresIn === undefined)) return maxMs;
  if (ttl !== undefined && expiresIn !== undefined) return undefined;
  const lifeMs = typeof ttl === 'string' ? undefined : spanOf(ttl ?? expiresIn);
  return lifeMs !== undefined && lifeMs > 0 && lifeMs <= maxMs ? lifeMs : undefined;
}
