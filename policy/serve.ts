/** What a row that Postern answers itself does for one request: whose tokens or probes, and what the caller chose. */
import { denied } from './denial.ts';
import { activationKeys, type ProbeChoice, probeChoiceOf, probeSubjectFlaw } from './probe-input.ts';
import type {
  Page,
  ProbeRule,
  ServedAttribute,
  ServedSource,
  ServeOperation,
  ServeRule,
  Serving,
  TokenChoice,
  TokenRule,
} from './serve-types.ts';
import { checkAttributes, labelOf, lacksNothing, originsOf } from './token-input.ts';
import type { AttributeValue, TokenRecord } from './token-types.ts';
import type { Match, Outcome, Permit } from './types.ts';
import { parseDuration } from './units.ts';

const payloadKeys = ['label', 'allowed_origins', 'origins', 'expires_in', 'ttl'] as const;

/** The keys an operation may read; of each, no body may have two. */
export function payloadKeysOf(operation: ServeOperation): readonly string[] {
  if (operation === 'probe.activate') return activationKeys;
  return operation === 'probe.deactivate' ? ['activation_id'] : payloadKeys;
}

/** Ten years: what lives longer has no end. */
export const graceMsMax = 3650 * 86_400_000;

const limitDefault = 20;
const limitMax = 100;

const tokenCursor = /^tok_[0-9A-HJKMNP-TV-Z]{26}$/;
const activationCursor = /^[0-9]{1,15}_[0-9a-f-]{36}$/;
const activationIdCharsMax = 200;

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

function probeServingOf(
  rule: ProbeRule,
  { params }: Match,
  { token, facts }: Permit,
  text: string | null,
): Outcome<Serving> {
  const [subject = '', second] = textsOf(rule.derive, params, token);
  if (second !== undefined || probeSubjectFlaw(subject) !== null) {
    return denied('record_not_found', 'no key is derived for what the path or the token says');
  }
  const said = text === null ? noKeys : readObject(rule.operation, text, payloadKeysOf(rule.operation));
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

function tokenServingOf(
  rule: TokenRule,
  { params }: Match,
  { token, facts }: Permit,
  text: string | null,
): Outcome<Serving> {
  const attributes = attributesOf(rule, params, token);
  if (attributes === null) return denied('record_not_found', 'no token could have what the path says');
  const choice = readPayload(rule, text);
  if (!choice.ok) return choice;
  const page = rule.operation === 'token.list' ? readPage(facts.query, tokenCursor) : nothing;
  if (!page.ok) return page;
  return {
    ok: true,
    value: {
      kind: 'token',
      rule,
      attributes,
      tokenId: rule.tokenParam === null ? null : paramOf(params, rule.tokenParam),
      confirmPath: rule.confirm === null ? null : pathOf(rule.confirm.segments, params),
      choice: choice.value,
      page: page.value,
    },
  };
}

/** The same caller, asking the upstream of `confirm`: what the assertion and the identity headers are then about. */
export function confirming(permit: Permit, path: string): Permit {
  return { ...permit, facts: { ...permit.facts, method: 'GET', path, query: null } };
}

const nothing: Outcome<null> = { ok: true, value: null };
const noKeys: Outcome<Readonly<Record<string, unknown>>> = { ok: true, value: {} };

function paramOf(params: Match['params'], name: string): string {
  const value = params.get(name);
  if (value === undefined) throw new Error('a row serves a parameter it does not have');
  return value;
}

/** Percent-encoded anew (RFC 3986 §2.1), from what was decoded once. */
function pathOf(segments: NonNullable<ServeRule['confirm']>['segments'], params: Match['params']): string {
  const texts = segments.map((segment) =>
    segment.kind === 'literal' ? segment.text : encodeURIComponent(paramOf(params, segment.name)),
  );
  return `/${texts.join('/')}`;
}

/** null: no token can have these. */
function attributesOf(
  { type, attributes }: TokenRule,
  params: Match['params'],
  caller: TokenRecord | null,
): ReadonlyMap<string, AttributeValue> | null {
  const values = new Map<string, AttributeValue>();
  for (const attribute of attributes) values.set(attribute.name, servedValue(attribute, params, caller));
  // A list without values would ask for nothing, and so find everybody's.
  if ([...values.values()].some(({ length }) => length === 0)) return null;
  const checked = checkAttributes(type, values);
  return checked.ok && lacksNothing(type, checked.value).ok ? checked.value : null;
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

function textsOf(source: ServedSource, params: Match['params'], caller: TokenRecord | null) {
  switch (source.kind) {
    case 'text':
      return [source.text];
    case 'param':
      return [paramOf(params, source.param)];
    case 'attribute':
      return [caller?.attributes.get(source.name) ?? []].flat();
  }
}

/** Keys are strict: what is not known here would be silently without effect. */
function readObject(
  operation: ServeOperation,
  text: string,
  known: readonly string[],
): Outcome<Readonly<Record<string, unknown>>> {
  const body: unknown = JSON.parse(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return invalid('it is not an object');
  const odd = Object.keys(body).find((key) => !known.includes(key));
  if (odd !== undefined) return invalid(`a key that ${operation} does not know here`);
  return { ok: true, value: { ...body } };
}

function readPayload(rule: TokenRule, text: string | null): Outcome<TokenChoice | null> {
  if (text === null) return nothing;
  const makes = rule.operation === 'token.create';
  const known: readonly string[] = !makes
    ? []
    : rule.lifeMsMax === null
      ? payloadKeys.slice(0, 3)
      : payloadKeys;
  const said = readObject(rule.operation, text, known);
  if (!said.ok) return said;
  return makes ? readChoice(said.value, rule) : nothing;
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
  const written = ttl ?? expiresIn;
  const duration = typeof written === 'string' && ttl === undefined ? parseDuration(written) : null;
  const seconds = typeof written === 'number' && Number.isInteger(written) ? written * 1000 : undefined;
  const lifeMs = duration?.ok === true ? duration.value : seconds;
  return lifeMs !== undefined && lifeMs > 0 && lifeMs <= maxMs ? lifeMs : undefined;
}

/** `limit` and `cursor`; what else stands in the query is nobody's here. */
function readPage(query: string | null, cursorText: RegExp): Outcome<Page> {
  const said = new URLSearchParams(query ?? '');
  const [limits, cursors] = [said.getAll('limit'), said.getAll('cursor')];
  if (limits.length > 1 || cursors.length > 1) return invalid('limit or cursor is sent twice');
  const [limit = String(limitDefault)] = limits;
  const [cursor = null] = cursors;
  if (!/^[1-9][0-9]{0,2}$/.test(limit) || Number(limit) > limitMax) return invalid('limit is not 1 to 100');
  if (cursor !== null && !cursorText.test(cursor)) return invalid('not a cursor of ours');
  return { ok: true, value: { limit: Number(limit), after: cursor } };
}

function invalid(reason: string) {
  return denied('payload_invalid', reason);
}
