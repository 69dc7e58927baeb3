import { describe, expect, test } from 'vitest';
import {
  type Refusal,
  type RefusalCode,
  refusalAnswer,
  refusalCodes,
  statusOf,
} from '../../gateway/refusals.ts';
import type { Denial, DenialCode } from '../../policy/types.ts';
import { routeOf } from '../support/policy.ts';

const requestId = '11111111-2222-4333-8444-555555555555';

type Expected = { readonly status: number; readonly code?: string; readonly challenge?: string };

const invalidToken: Expected = { status: 401, code: 'invalid_token', challenge: ', error="invalid_token"' };

/** The whole table again, as the contract has it: one that lacks a code does not compile. */
const contract: Readonly<Record<RefusalCode, Expected>> = {
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
  method_not_allowed: { status: 405 },
  cors_origin_not_allowed: { status: 403 },
  credential_missing: { status: 401, challenge: '' },
  credential_malformed: invalidToken,
  credential_ambiguous: { status: 400, code: 'invalid_request', challenge: ', error="invalid_request"' },
  too_many_failures: { status: 429 },
  token_unknown: invalidToken,
  token_expired: invalidToken,
  token_revoked: invalidToken,
  token_disabled: invalidToken,
  type_not_allowed: { status: 403, challenge: ', error="insufficient_scope"' },
  scope_missing: { status: 403, challenge: ', error="insufficient_scope"' },
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
  report_unsigned: { status: 401, challenge: '' },
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
const codes = refusalCodes;

type Details = Refusal['denial'];

const answerTo = (code: RefusalCode, denial?: Details) =>
  refusalAnswer({ code, requestId, realm: 'postern', ...(denial && { denial }) });

function fieldsOf(code: RefusalCode, denial?: Details): Record<string, string> {
  const { fields } = answerTo(code, denial);
  expect(new Set(fields.map(([name]) => name.toLowerCase())).size).toBe(fields.length);
  return Object.fromEntries(fields);
}

describe('every refusal', () => {
  test('is in the contract, and nothing else is', () => {
    expect([...codes].sort()).toEqual(Object.keys(contract).sort());
  });

  test.each(codes)('%s is worded as the contract says', (code) => {
    const { status, code: outside = code, challenge } = contract[code];
    const { body, ...answer } = answerTo(code);
    expect(answer.status).toBe(status);
    expect(statusOf(code)).toBe(status);
    expect(Object.fromEntries(answer.fields)).toEqual({
      'Content-Type': 'application/problem+json',
      ...(challenge !== undefined && { 'WWW-Authenticate': `Bearer realm="postern"${challenge}` }),
      ...((status === 429 || status === 503) && { 'Retry-After': '1' }),
      'Cache-Control': 'no-store',
      'X-Request-Id': requestId,
    });
    const problem = JSON.parse(body);
    expect(Object.keys(problem)).toEqual(['type', 'title', 'status', 'detail', 'instance', 'code']);
    expect(problem).toMatchObject({
      type: 'about:blank',
      status,
      code: outside,
      instance: `urn:uuid:${requestId}`,
    });
    expect(problem.title).toMatch(/^[A-Z]/);
    expect(problem.detail).toMatch(/^[A-Z].*\.$/);
  });

  test('never tells the private reason, the row or the token', () => {
    for (const code of codes) {
      const denial: Denial = {
        code: 'token_revoked',
        reason: 'tok_SECRET was revoked',
        route: routeOf({ id: 'row SECRET' }),
      };
      expect(JSON.stringify(answerTo(code, denial))).not.toContain('SECRET');
    }
  });

  test('carries the fields of its row', () => {
    const { fields } = refusalAnswer({
      code: 'rate_limited',
      requestId,
      realm: 'postern',
      fields: [['Vary', 'Origin']],
    });
    expect(fields).toContainEqual(['Vary', 'Origin']);
  });
});

describe('from outside', () => {
  const dead: readonly DenialCode[] = [
    'token_unknown',
    'token_expired',
    'token_revoked',
    'token_disabled',
    'credential_malformed',
  ];

  test('unknown, expired, revoked, disabled and malformed tokens are the same answer, byte for byte', () => {
    const answers = dead.map((code) => {
      const denial: Denial = { code, reason: `because of ${code}` };
      return answerTo(code, denial);
    });
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  test('they differ from request to request in the instance and request id alone', () => {
    const [one, other] = ['a', 'b'].map((id) =>
      JSON.stringify(refusalAnswer({ code: 'token_revoked', requestId: id, realm: 'postern' })),
    );
    expect(one?.replace('urn:uuid:a', 'urn:uuid:b').replace('"a"', '"b"')).toBe(other);
  });

  test('a bind that hides behind 404 is a path that does not exist, byte for byte', () => {
    const hidden: Denial = { code: 'bind_mismatch', reason: 'not its own', status: 404, route: routeOf() };
    const nowhere: Denial = { code: 'route_not_found', reason: 'no row has this path' };
    expect(answerTo('bind_mismatch', hidden)).toEqual(answerTo('route_not_found', nowhere));
    expect(statusOf('bind_mismatch', hidden)).toBe(404);
  });

  test('a bind that does not hide is 403', () => {
    const open: Denial = { code: 'bind_mismatch', reason: 'not its own', status: 403 };
    expect(answerTo('bind_mismatch', open).status).toBe(403);
    expect(statusOf('bind_mismatch', open)).toBe(403);
  });
});

describe('what an answer adds', () => {
  test('405 says what the path has', () => {
    const denial: Denial = { code: 'method_not_allowed', reason: '', allow: ['GET', 'HEAD'] };
    expect(fieldsOf('method_not_allowed', denial).Allow).toBe('GET, HEAD');
  });

  test('what is pinned is shown without its first character, where the pin reveals it', () => {
    const denial: Denial = { code: 'bundle_mismatch', reason: '', maskedPin: '*om.acme.app' };
    expect(JSON.parse(answerTo('bundle_mismatch', denial).body)).toMatchObject({ expected: '*om.acme.app' });
    expect(JSON.parse(answerTo('bundle_mismatch').body)).not.toHaveProperty('expected');
  });

  test('a missing scope is named in the challenge', () => {
    const denial: Denial = { code: 'scope_missing', reason: '', requiredScopes: ['a', 'b:c'] };
    expect(fieldsOf('scope_missing', denial)['WWW-Authenticate']).toBe(
      'Bearer realm="postern", error="insufficient_scope", scope="a b:c"',
    );
  });

  test.each([
    [0, '1'],
    [1, '1'],
    [999, '1'],
    [1000, '1'],
    [1001, '2'],
    [59_001, '60'],
    [-1, '1'],
  ])('a wait of %i ms is %s in whole seconds, rounded up, at least 1', (ms, seconds) => {
    const denial: Denial = { code: 'rate_limited', reason: '', retryAfterMs: ms };
    expect(fieldsOf('rate_limited', denial)['Retry-After']).toBe(seconds);
    expect(fieldsOf('verifier_busy', { retryAfterMs: ms })['Retry-After']).toBe(seconds);
  });

  test('a wait nobody knows is a second', () => {
    expect(fieldsOf('store_unavailable', { retryAfterMs: null })['Retry-After']).toBe('1');
  });

  test('no other status promises a time', () => {
    for (const code of codes.filter((one) => ![429, 503].includes(contract[one].status))) {
      expect(fieldsOf(code, { retryAfterMs: 5000 })).not.toHaveProperty('Retry-After');
    }
  });
});
