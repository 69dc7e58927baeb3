/**
 * The one place where a denial or a fault becomes HTTP. RFC 9457 body, RFC 6750 challenge,
 * Retry-After. A code without an entry here does not compile.
 */
import { STATUS_CODES } from 'node:http';
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
};

/** Unknown, wrong, revoked, expired and disabled look the same from outside. */
const invalidToken: Entry = {
  status: 401,
  detail: 'The token is not valid.',
  outside: 'invalid_token',
  challenge: 'invalid_token',
};

const entries = {
  request_malformed: { status: 400, detail: 'The request is malformed.' },
  path_ambiguous: { status: 400, detail: 'The path could be read in more than one way.' },
  header_too_large: { status: 431, detail: 'The header section is too large.' },
  uri_too_long: { status: 414, detail: 'The request target is too long.' },
  body_too_large: { status: 413, detail: 'The body is larger than this route accepts.' },
  expectation_failed: { status: 417, detail: 'The expectation cannot be met.' },
  request_timeout: { status: 408, detail: 'The request did not arrive in time.' },
  route_not_found: { status: 404, detail: 'There is nothing here.' },
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
  bind_mismatch: { status: 403, detail: 'The token is not for this resource.' },
  origin_not_allowed: { status: 403, detail: 'The token cannot be used from this origin.' },
  rate_limited: { status: 429, detail: 'Too many requests.' },
  store_unavailable: { status: 503, detail: 'Tokens cannot be checked right now.' },
  limiter_unavailable: { status: 503, detail: 'Limits cannot be counted right now.' },
  verifier_busy: { status: 503, detail: 'Too many tokens are being checked right now.' },
  overloaded: { status: 503, detail: 'Too many requests are under way right now.' },
  draining: { status: 503, detail: 'This instance is shutting down.' },
  upstream_unreachable: { status: 502, detail: 'The upstream cannot be reached.' },
  upstream_timeout: { status: 504, detail: 'The upstream did not answer in time.' },
  upstream_protocol_error: { status: 502, detail: 'The upstream did not answer with valid HTTP.' },
  internal_error: { status: 500, detail: 'Something went wrong here.' },
} as const satisfies Record<RefusalCode, Entry>;

/** Every code that has an answer: the closed union, at run time. */
export const refusalCodes = Object.keys(entries) as readonly RefusalCode[];

type Details = Pick<Denial, 'allow' | 'requiredScopes' | 'status'> & {
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
  /** CORS and RateLimit fields of the row. */
  readonly fields?: readonly Field[];
};

/** The status a refusal has outside. */
export function statusOf(code: RefusalCode, denial?: Details): number {
  return denial?.status ?? entries[code].status;
}

/** Words a refusal for the caller. */
export function refusalAnswer(refusal: Refusal): Answer {
  const { denial } = refusal;
  // A bind that hides behind 404 must look exactly like a path that does not exist.
  const code = refusal.code === 'bind_mismatch' && denial?.status === 404 ? 'route_not_found' : refusal.code;
  const entry: Entry = entries[code];
  const status = entry.status;
  const fields: Field[] = [['Content-Type', 'application/problem+json']];
  const challenge = challengeOf(entry, refusal);
  if (challenge !== null) fields.push(['WWW-Authenticate', challenge]);
  if (denial?.allow !== undefined) fields.push(['Allow', denial.allow.join(', ')]);
  const wait = retryAfterSeconds(status, denial?.retryAfterMs ?? null);
  if (wait !== null) fields.push(['Retry-After', String(wait)]);
  fields.push(['Cache-Control', 'no-store'], ['X-Request-Id', refusal.requestId], ...(refusal.fields ?? []));
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: entry.detail,
    instance: `urn:uuid:${refusal.requestId}`,
    code: entry.outside ?? code,
  };
  return { status, fields, body: `${JSON.stringify(body)}\n` };
}

/** RFC 6750 §3: a bare challenge tells nothing to a caller who presented nothing. */
function challengeOf(entry: Entry, { realm, denial }: Refusal): string | null {
  if (entry.challenge === undefined) return null;
  const parts = [`Bearer realm="${realm}"`];
  if (entry.challenge !== 'bare') parts.push(`error="${entry.challenge}"`);
  const scopes = denial?.requiredScopes ?? [];
  if (scopes.length > 0) parts.push(`scope="${scopes.join(' ')}"`);
  return parts.join(', ');
}

/** Whole seconds, rounded up, at least 1; on every 429 and 503 (RFC 9110 §10.2.3). */
function retryAfterSeconds(status: number, ms: number | null): number | null {
  if (status !== 429 && status !== 503) return null;
  return Math.max(1, Math.ceil((ms ?? 1000) / 1000));
}
