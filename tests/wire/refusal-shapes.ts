/** What each refusal says outside, written down a second time so that a slip in the table shows. */
import type { RefusalCode } from '../../gateway/refusals.ts';

export type Shape = {
  readonly status: number;
  /** `code` of the body, where it is not the inner one. */
  readonly code?: string;
  /** WWW-Authenticate, whole; absent: there is none. */
  readonly challenge?: string;
  readonly allow?: string;
};

const invalidToken: Shape = {
  status: 401,
  code: 'invalid_token',
  challenge: 'Bearer realm="main", error="invalid_token"',
};

export const shapes: Readonly<Record<RefusalCode, Shape>> = {
  request_malformed: { status: 400 },
  path_ambiguous: { status: 400 },
  header_too_large: { status: 431 },
  uri_too_long: { status: 414 },
  body_too_large: { status: 413 },
  body_malformed: { status: 400 },
  body_encoding: { status: 415 },
  cost_too_large: { status: 413 },
  expectation_failed: { status: 417 },
  request_timeout: { status: 408 },
  route_not_found: { status: 404 },
  method_not_allowed: { status: 405, allow: 'GET, HEAD, POST' },
  cors_origin_not_allowed: { status: 403 },
  credential_missing: { status: 401, challenge: 'Bearer realm="main"' },
  credential_malformed: invalidToken,
  credential_ambiguous: {
    status: 400,
    code: 'invalid_request',
    challenge: 'Bearer realm="main", error="invalid_request"',
  },
  too_many_failures: { status: 429 },
  token_unknown: invalidToken,
  token_expired: invalidToken,
  token_revoked: invalidToken,
  token_disabled: invalidToken,
  type_not_allowed: { status: 403, challenge: 'Bearer realm="main", error="insufficient_scope"' },
  scope_missing: {
    status: 403,
    challenge: 'Bearer realm="main", error="insufficient_scope", scope="items:write"',
  },
  csrf_invalid: { status: 403 },
  bind_mismatch: { status: 403 },
  origin_not_allowed: { status: 403 },
  address_not_allowed: { status: 403 },
  bundle_mismatch: { status: 403 },
  bundle_missing: { status: 403 },
  rate_limited: { status: 429 },
  payload_invalid: { status: 400 },
  origins_invalid: { status: 400 },
  record_not_found: { status: 404 },
  activations_full: { status: 409 },
  report_unsigned: { status: 401, challenge: 'Bearer realm="postern"' },
  store_unavailable: { status: 503 },
  limiter_unavailable: { status: 503 },
  verifier_busy: { status: 503 },
  overloaded: { status: 503 },
  draining: { status: 503 },
  upstream_unreachable: { status: 502 },
  upstream_timeout: { status: 504 },
  upstream_protocol_error: { status: 502 },
  confirm_unavailable: { status: 503 },
  internal_error: { status: 500 },
};
