/** Refusals in a style: what an operator may change of them, and what no config can. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfigText } from '../../gateway/config/load.ts';
import { runFixtures } from '../../gateway/fixtures.ts';
import {
  type Refusal,
  type RefusalCode,
  refusalAnswer,
  refusalCodes,
  refusalKinds,
  statusOf,
} from '../../gateway/refusals.ts';
import type { ErrorStyle } from '../../policy/error-style.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';
import { fuzz } from '../support/fuzz.ts';

const requestId = '0b6f1c9e-0000-4000-8000-000000000000';
const file = '/etc/postern/gateway.config.yaml';
const styled = smallConfig.replace('    to: app\n', '    to: app\n    errors: own\n');

const configOf = (style: unknown) => `${styled}${stringify({ errors: { own: style } })}`;

function styleOf(style: unknown): ErrorStyle {
  const errors = loaded(configOf(style)).policy.routes[0]?.errors;
  if (!errors) throw new Error('the row has no style');
  return errors;
}

function answerIn(style: ErrorStyle, code: RefusalCode, denial?: Refusal['denial'], id = requestId) {
  const answer = refusalAnswer({ code, requestId: id, realm: 'main', style, ...(denial && { denial }) });
  return { ...answer, fields: Object.fromEntries(answer.fields) };
}

describe('a style', () => {
  test('words the body, the code and the status, and leaves every other field as it is', () => {
    const style = styleOf({
      status: { rate_limited: 503 },
      codes: { rate_limited: 'SLOW_DOWN' },
      body: { error: { code: '{code}', message: '{detail}', title: '{title}', status: '{status}' } },
    });
    const { status, fields, body } = answerIn(style, 'rate_limited', { retryAfterMs: 1500 });
    expect(status).toBe(503);
    expect(fields).toEqual({
      'Content-Type': 'application/json',
      'Retry-After': '2',
      'Cache-Control': 'no-store',
      'X-Request-Id': requestId,
    });
    const message = 'Too many requests.';
    expect(body).toBe(
      JSON.stringify({ error: { code: 'SLOW_DOWN', message, title: 'Service Unavailable', status: 503 } }),
    );
  });

  test('without a body keeps problem+json, with its statuses and codes', () => {
    const style = styleOf({ status: { scope_missing: 404 }, codes: { invalid_token: 'BAD' } });
    const { status, fields, body } = answerIn(style, 'scope_missing');
    expect(status).toBe(404);
    expect(fields['Content-Type']).toBe('application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ status: 404, title: 'Not Found', code: 'scope_missing' });
    expect(JSON.parse(answerIn(style, 'token_revoked').body)).toMatchObject({ status: 401, code: 'BAD' });
  });

  test('takes what stands for a code before what stands for all', () => {
    const style = styleOf({
      status: { invalid_token: 403 },
      body: { all: '{code}' },
      content_type: 'application/vnd.example+json',
      for: {
        invalid_token: { body: { dead: '{code}' } },
        credential_ambiguous: { status: 422 },
      },
    });
    const dead = answerIn(style, 'token_expired');
    expect([dead.status, dead.body, dead.fields['Content-Type']]).toEqual([
      403,
      '{"dead":"invalid_token"}',
      'application/vnd.example+json',
    ]);
    const twice = answerIn(style, 'credential_ambiguous');
    expect([twice.status, twice.body]).toEqual([422, '{"all":"invalid_request"}']);
  });

  test('may leave out the challenge, and then no refusal has one', () => {
    const style = styleOf({ challenge: 'off', body: '{code}' });
    for (const code of refusalCodes)
      expect(answerIn(style, code).fields).not.toHaveProperty('WWW-Authenticate');
  });

  test('gives every 401 a challenge (RFC 9110 §15.5.2)', () => {
    const style = styleOf({ status: { origin_not_allowed: 401 }, body: '{code}' });
    expect(answerIn(style, 'origin_not_allowed').fields['WWW-Authenticate']).toBe('Bearer realm="main"');
  });

  test('keeps Retry-After on what would be 429 or 503 without it', () => {
    const style = styleOf({
      status: { rate_limited: 400, store_unavailable: 500 },
      body: ['{retry_after_ms}'],
    });
    const { status, fields, body } = answerIn(style, 'rate_limited', { retryAfterMs: 61_000 });
    expect([status, fields['Retry-After'], body]).toEqual([400, '61', '[61000]']);
    expect(answerIn(style, 'store_unavailable').fields['Retry-After']).toBe('1');
    expect(answerIn(style, 'scope_missing').body).toBe('[null]');
  });

  test('does not show that a 404 hides a bind', () => {
    const style = styleOf({ body: { message: '{detail}' }, codes: { bind_mismatch: 'NOT_YOURS' } });
    const hidden = answerIn(style, 'bind_mismatch', { status: 404, requiredScopes: ['a'], batchCount: 2 });
    expect(hidden).toEqual(answerIn(style, 'route_not_found'));
    expect(statusOf('bind_mismatch', { status: 404 }, style)).toBe(404);
    expect(answerIn(style, 'bind_mismatch', { status: 403 }).body).toBe(
      '{"message":"The token is not for this resource."}',
    );
  });

  test('may show a masked pin and the items of a batch', () => {
    const style = styleOf({
      body: {
        expected: '{pin.masked}',
        errors: { repeat: 'batch', item: { index: '{index}', reason: '{code}' } },
      },
    });
    const { body } = answerIn(style, 'rate_limited', { maskedPin: '*om.acme', batchCount: 2 });
    expect(JSON.parse(body)).toEqual({
      expected: '*om.acme',
      errors: [
        { index: 0, reason: 'rate_limited' },
        { index: 1, reason: 'rate_limited' },
      ],
    });
  });
});

test('fixtures expect the status that the style gives', async () => {
  const text = (expected: string) =>
    `${configOf({ status: { type_not_allowed: 401 }, body: '{code}' })}fixtures:
  - { name: wrong kind, request: GET /events, as: { project: {} }, expect: ${expected} }\n`;
  expect(await runFixtures(loaded(text('401 type_not_allowed')))).toEqual([]);
  const [problem] = await runFixtures(loaded(text('403 type_not_allowed')));
  expect(problem?.message).toContain('expects 403 type_not_allowed and gets 401 type_not_allowed');
});

/** Any style an operator may come to write, right or not. */
const names = [...new Set([...refusalKinds].flatMap(([code, { outside }]) => [code, outside]))];
const anyName = fc.constantFrom(...names, 'invalid_token', 'type_not_allowed', 'rate_limited', 'overloaded');
const anyStatus = fc.oneof(
  fc.constantFrom(401, 401, 403, 404, 429, 500, 503),
  fc.integer({ min: 100, max: 700 }),
);
const anyBody = fc.constantFrom(
  '{code}',
  { message: '{detail}', id: '{request_id}', scopes: '{required_scopes}' },
  { success: false, error: { code: '{code}', message: '{detail} ({status})' } },
  { rejected: '{count}', errors: { repeat: 'batch', item: { index: '{index}', reason: '{code}' } } },
  ['{retry_after_s}', '{pin.masked}', '{title}'],
);
const anyStyle = fc.record(
  {
    status: fc.dictionary(anyName, anyStatus, { maxKeys: 2 }),
    codes: fc.dictionary(anyName, fc.constantFrom('BAD', 'WRONG'), { maxKeys: 2 }),
    body: anyBody,
    challenge: fc.constant('off'),
    for: fc.dictionary(anyName, fc.record({ status: anyStatus, body: anyBody }, { requiredKeys: [] }), {
      maxKeys: 2,
    }),
  },
  { requiredKeys: [] },
);

function accepted(style: unknown): ErrorStyle | null {
  const result = loadConfigText(configOf(style), file, {});
  return result.ok ? (result.config.policy.routes[0]?.errors ?? null) : null;
}

/** All of one answer, with its id put aside. */
const apartFromItsId = (style: ErrorStyle, code: RefusalCode, id: string) =>
  JSON.stringify(answerIn(style, code, { requiredScopes: ['a'], retryAfterMs: 7000 }, id)).replaceAll(
    id,
    'ID',
  );

describe('no style that loads', () => {
  const dead = [
    ...(['token_unknown', 'token_expired', 'token_revoked'] as const),
    ...(['token_disabled', 'credential_malformed'] as const),
  ];

  test('tells one dead token from another', () => {
    let seen = 0;
    fc.assert(
      fc.property(anyStyle, (written) => {
        const style = accepted(written);
        if (style === null) return;
        seen++;
        const answers = dead.map((code, index) => apartFromItsId(style, code, `id-${index}`));
        expect(new Set(answers).size).toBe(1);
      }),
      fuzz(400),
    );
    expect(seen).toBeGreaterThan(40);
  });

  test('tells a wrong type that is 401 from a bad token', () => {
    let seen = 0;
    const kinds = anyStyle.map((style) => ({ ...style, status: { ...style.status, type_not_allowed: 401 } }));
    fc.assert(
      fc.property(kinds, (written) => {
        const style = accepted(written);
        if (style === null || statusOf('type_not_allowed', {}, style) !== 401) return;
        seen++;
        const denial = { requiredScopes: ['a'], maskedPin: 'x', batchCount: 3, retryAfterMs: 7000 };
        const wrong = refusalAnswer({
          code: 'type_not_allowed',
          requestId: 'one',
          realm: 'main',
          style,
          denial,
        });
        const bad = refusalAnswer({ code: 'token_unknown', requestId: 'two', realm: 'main', style });
        expect(JSON.stringify(wrong).replaceAll('one', 'two')).toBe(JSON.stringify(bad));
      }),
      fuzz(400),
    );
    expect(seen).toBeGreaterThan(40);
  });

  test('tells a bind that hides from a path that is not there', () => {
    fc.assert(
      fc.property(anyStyle, (written) => {
        const style = accepted(written);
        if (style === null) return;
        const denial = { status: 404 as const, requiredScopes: ['a'], batchCount: 3, retryAfterMs: 7000 };
        expect(answerIn(style, 'bind_mismatch', denial)).toEqual(answerIn(style, 'route_not_found'));
      }),
      fuzz(100),
    );
  });

  test('turns a refusal into a success, "cannot tell" into an answer, or anything into what is not JSON', () => {
    fc.assert(
      fc.property(anyStyle, (written) => {
        const style = accepted(written);
        if (style === null) return;
        for (const code of refusalCodes) {
          const { status, fields, body } = answerIn(style, code);
          const own = refusalKinds.get(code)?.status ?? 0;
          expect(status).toBeGreaterThanOrEqual(own >= 500 ? 500 : 400);
          expect(status).toBeLessThan(600);
          expect(statusOf(code, {}, style)).toBe(status);
          expect(JSON.stringify(JSON.parse(body))).toBe(body.trim());
          expect(body).not.toMatch(/\{[a-z_.]+\}/);
          for (const waits of [429, 503]) {
            if (status === waits || own === waits) expect(fields['Retry-After']).toBe('1');
          }
          expect(fields['Cache-Control']).toBe('no-store');
          expect(fields['X-Request-Id']).toBe(requestId);
          if (status === 401 && style.challenge) expect(fields).toHaveProperty('WWW-Authenticate');
        }
      }),
      fuzz(200),
    );
  });
});
