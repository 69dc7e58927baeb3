/**
 * The one place where a denial or a fault becomes HTTP. RFC 9457 body or the row's error style,
 * RFC 6750 challenge, Retry-After. A code without an entry here does not compile.
 */
import { STATUS_CODES } from 'node:http';
import type { RefusalKind } from '../policy/compile-context.ts';
import { isHidden } from '../policy/denial.ts';
import { type ErrorStyle, type RefusalFacts, renderBody } from '../policy/error-style.ts';
import type { Denial, DenialCode } from '../policy/types.ts';
import type { Answer, Field } from './answer.ts';
import type { FaultCode } from './fault.ts';

export type RefusalCode = DenialCode | FaultCode;

type Entry = {
  readonly status: number;
  /** For the caller; says what to do, never what we know. */
  readonly detail: string;
  /** `code` in the body, where it differs from the inner one. */
  readonly outside?: string;
  /** RFC 6750 §3.1 `error` of the challenge; `bare`: a challenge without one. */
  readonly challenge?: 'bare' | 'invalid_request' | 'invalid_token' | 'insufficient_scope';
  /** Refused before a row is known: worded as the apis of the host are. */
  readonly beforeRows?: true;
};

/** Unknown, wrong, revoked, expired and disabled look the same from outside. */
const invalidToken: Entry = {
  status: 401,
  detail: 'The token is not valid.',
  outside: 'invalid_token',
  challenge: 'invalid_token',
};

const entries = {
  request_malformed: { status: 400, detail: 'The request is malformed.', beforeRows: true },
  path_ambiguous: { status: 400, detail: 'The path could be read in more than one way.', beforeRows: true },
  header_too_large: { status: 431, detail: 'The header section is too large.', beforeRows: true },
  uri_too_long: { status: 414, detail: 'The request target is too long.', beforeRows: true },
  body_too_large: { status: 413, detail: 'The body is larger than this route accepts.' },
  body_malformed: { status: 400, detail: 'The body is not JSON that can be read in one way only.' },
  body_encoding: { status: 415, detail: 'The body must be JSON in UTF-8, without a content coding.' },
  cost_too_large: { status: 413, detail: 'The body holds more items than a limit can ever let through.' },
  expectation_failed: { status: 417, detail: 'The expectation cannot be met.', beforeRows: true },
  request_timeout: { status: 408, detail: 'The request did not arrive in time.' },
  route_not_found: { status: 404, detail: 'There is nothing here.', beforeRows: true },
  method_not_allowed: { status: 405, detail: 'This path does not have that method.' },
  cors_origin_not_allowed: { status: 403, detail: 'This origin is not allowed.' },
  credential_missing: { status: 401, detail: 'A token is required.', challenge: 'bare' },
  credential_malformed: invalidToken,
  credential_ambiguous: {
    status: 400,
    detail: 'The credential was sent in more than one way.',
    outside: 'invalid_request',
    challenge: 'invalid_request',
  },
  too_many_failures: { status: 429, detail: 'Too many bad tokens from this address.' },
  token_unknown: invalidToken,
  token_expired: invalidToken,
  token_revoked: invalidToken,
  token_disabled: invalidToken,
  type_not_allowed: {
    status: 403,
    detail: 'This kind of token cannot be used here.',
    challenge: 'insufficient_scope',
  },
  scope_missing: { status: 403, detail: 'The token lacks a scope.', challenge: 'insufficient_scope' },
  csrf_invalid: { status: 403, detail: 'The CSRF header is missing or wrong.' },
  bind_mismatch: { status: 403, detail: 'The token is not for this resource.' },
  origin_not_allowed: { status: 403, detail: 'This cannot be used from this origin.' },
  address_not_allowed: { status: 403, detail: 'This address is not allowed.' },
  bundle_mismatch: { status: 403, detail: 'The token belongs to another bundle ID.' },
  bundle_missing: { status: 403, detail: 'A bundle ID is required with this token.' },
  rate_limited: { status: 429, detail: 'Too many requests.' },
  payload_invalid: { status: 400, detail: 'The request says something that cannot be done here.' },
  origins_invalid: { status: 400, detail: 'The origins are not http or https origins, or too many.' },
  report_unsigned: {
    status: 401,
    detail: 'The report is not signed by anybody known here.',
    beforeRows: true,
  },
  record_not_found: { status: 404, detail: 'There is no such record.' },
  activations_full: { status: 409, detail: 'As many as may be active are active already.' },
  store_unavailable: { status: 503, detail: 'Tokens cannot be checked right now.' },
  limiter_unavailable: { status: 503, detail: 'Limits cannot be counted right now.' },
  verifier_busy: { status: 503, detail: 'Too many tokens are being checked right now.' },
  overloaded: { status: 503, detail: 'Too many requests are under way right now.' },
  draining: { status: 503, detail: 'This instance is shutting down.', beforeRows: true },
  upstream_unreachable: { status: 502, detail: 'The upstream cannot be reached.' },
  upstream_timeout: { status: 504, detail: 'The upstream did not answer in time.' },
  upstream_protocol_error: { status: 502, detail: 'The upstream did not answer with valid HTTP.' },
  confirm_unavailable: { status: 503, detail: 'It cannot be confirmed right now.' },
  internal_error: { status: 500, detail: 'Something went wrong here.' },
} as const satisfies Record<RefusalCode, Entry>;

/** Every code that has an answer: the closed union, at run time. */
export const refusalCodes = Object.keys(entries) as readonly RefusalCode[];

/** What a config may say of each. */
export const refusalKinds: ReadonlyMap<string, RefusalKind> = new Map(
  Object.entries<Entry>(entries).map(([code, { status, outside = code, beforeRows = false }]) => [
    code,
    { status, outside, beforeRows },
  ]),
);

type Details = Pick<Denial, 'allow' | 'requiredScopes' | 'status' | 'maskedPin' | 'batchCount'> & {
  readonly retryAfterMs?: number | null;
};

/** What an answer needs beyond its code. */
export type Refusal = {
  readonly code: RefusalCode;
  readonly requestId: string;
  /** Names the protection space of the challenge. */
  readonly realm: string;
  /** The denial or fault itself: methods, scopes and waits come from it. */
  readonly denial?: Details;
  /** How it is worded (`styleOf`); null: the default. */
  readonly style?: ErrorStyle | null;
  /** CORS and RateLimit fields of the row. */
  readonly fields?: readonly Field[];
};

/** A refusal as callers may see it: of several that must look the same, always the same one. */
type Seen = {
  readonly code: RefusalCode;
  readonly denial: Details;
  readonly style: ErrorStyle | null;
  readonly status: number;
};

/** The status a refusal has outside: on the wire, in `explain` and in fixtures. */
export function statusOf(code: RefusalCode, denial?: Details, style: ErrorStyle | null = null): number {
  return asSeen(code, denial, style).status;
}

function asSeen(code: RefusalCode, denial: Details = {}, style: ErrorStyle | null = null): Seen {
  // It looks exactly like a path that does not exist; `styleOf` gave it the style of one.
  if (isHidden({ code, ...denial })) return asSeen('route_not_found', {}, style);
  const status = style?.wordings.get(code)?.status ?? entries[code].status;
  // A wrong type that is refused as a bad token is one from outside, whatever else is known of it.
  if (code === 'type_not_allowed' && status === 401) return asSeen('token_unknown', {}, style);
  return { code, denial, style, status };
}

/** Words a refusal for the caller. */
export function refusalAnswer(refusal: Refusal): Answer {
  const seen = asSeen(refusal.code, refusal.denial, refusal.style);
  const { status, denial } = seen;
  const waitMs = waitOf(seen);
  const { contentType, body } = bodyOf(seen, refusal.requestId, waitMs);
  const fields: Field[] = [['Content-Type', contentType]];
  const challenge = challengeOf(seen, refusal.realm);
  if (challenge !== null) fields.push(['WWW-Authenticate', challenge]);
  if (denial.allow !== undefined) fields.push(['Allow', denial.allow.join(', ')]);
  if (waitMs !== null) fields.push(['Retry-After', String(Math.ceil(waitMs / 1000))]);
  fields.push(['Cache-Control', 'no-store'], ['X-Request-Id', refusal.requestId], ...(refusal.fields ?? []));
  return { status, fields, body };
}

function bodyOf(
  { code, denial, style, status }: Seen,
  requestId: string,
  waitMs: number | null,
): { readonly contentType: string; readonly body: string } {
  const entry: Entry = entries[code];
  const wording = style?.wordings.get(code);
  const facts: RefusalFacts = {
    code: wording?.code ?? entry.outside ?? code,
    detail: entry.detail,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    requestId,
    retryAfterMs: waitMs,
    maskedPin: denial.maskedPin ?? null,
    requiredScopes: denial.requiredScopes ?? null,
    batchCount: denial.batchCount ?? null,
  };
  if (style && wording?.body) {
    return { contentType: style.contentType, body: renderBody(wording.body, facts) };
  }
  const problem = {
    type: 'about:blank',
    title: facts.title,
    status,
    detail: facts.detail,
    instance: `urn:uuid:${requestId}`,
    code: facts.code,
    ...(facts.maskedPin === null ? {} : { expected: facts.maskedPin }),
  };
  return { contentType: 'application/problem+json', body: `${JSON.stringify(problem)}\n` };
}

/** RFC 6750 §3: a bare challenge tells nothing to a caller who presented nothing. RFC 9110 §15.5.2: 401 has one. */
function challengeOf({ code, denial, style, status }: Seen, realm: string): string | null {
  const kind = (entries[code] as Entry).challenge ?? (status === 401 ? 'bare' : undefined);
  if (kind === undefined || style?.challenge === false) return null;
  const parts = [`Bearer realm="${realm}"`];
  if (kind !== 'bare') parts.push(`error="${kind}"`);
  const scopes = denial.requiredScopes ?? [];
  if (scopes.length > 0) parts.push(`scope="${scopes.join(' ')}"`);
  return parts.join(', ');
}

/**
 * How long to wait, in ms, at least 1; on every 429 and 503 (RFC 9110 §10.2.3), and on what would be
 * one without its style. null: the answer says nothing of it.
 */
function waitOf({ code, denial, status }: Seen): number | null {
  const waits = [status, entries[code].status].some((one) => one === 429 || one === 503);
  return waits ? Math.max(1, Math.ceil(denial.retryAfterMs ?? 1000)) : null;
}
