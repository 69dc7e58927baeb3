import { describe, expect, test } from 'vitest';
import { allowedOrigin, judgePreflight } from '../../policy/cors.ts';
import type { Cors, Match, Method } from '../../policy/types.ts';
import { matchOf } from '../support/policy.ts';

const anyone: Cors = {
  name: 'sdk',
  origins: 'any',
  methods: ['GET', 'POST'],
  headers: ['Content-Type'],
  expose: [],
  credentials: false,
  maxAgeS: 60,
};
const ours: Cors = { ...anyone, name: 'site', origins: ['https://app.test', 'http://localhost:3000'] };

describe('the origin that is echoed', () => {
  test.each([
    ['https://app.test', 'https://app.test'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['https://app.test:443', null],
    ['https://APP.test', null],
    ['https://app.test.evil.test', null],
    ['https://evil.test', null],
    ['https://app.test/', null],
    ['null', null],
    ['', null],
  ])('of a list, for %s: %s', (origin, echo) => {
    expect(allowedOrigin(ours, origin)).toBe(echo);
  });

  test.each([
    ['https://evil.test', 'https://evil.test'],
    ['null', null],
    ['*', null],
    ['', null],
    ['https://evil.test\r\nSet-Cookie: a=b', null],
    ['https://evil.test, https://b.test', null],
    ['javascript:alert(1)', null],
  ])('where any may read, for %j: %j', (origin, echo) => {
    expect(allowedOrigin(anyone, origin)).toBe(echo);
  });
});

describe('a preflight', () => {
  const row = (method: Method, cors: Cors | null): Match =>
    matchOf({ id: `main ${method} /a`, method, cors });
  const from = 'https://app.test';

  test('is answered by the row of the method it asks for', () => {
    const rows = [row('GET', anyone), row('POST', ours)];
    expect(judgePreflight(rows, from, 'POST')).toEqual({ ok: true, value: { cors: ours, origin: from } });
    expect(judgePreflight(rows, from, 'HEAD')).toEqual({ ok: true, value: { cors: anyone, origin: from } });
  });

  test('for a method without a row or without cors is answered by the best row that has cors', () => {
    const rows = [row('GET', null), row('POST', ours), row('PUT', anyone)];
    for (const method of ['GET', 'DELETE', 'BREW']) {
      expect(judgePreflight(rows, from, method)).toEqual({ ok: true, value: { cors: ours, origin: from } });
    }
  });

  test('from an origin that is not listed is refused, with the row for the log', () => {
    const rows = [row('POST', ours)];
    for (const origin of ['https://evil.test', 'null', 'https://app.test:8443']) {
      expect(judgePreflight(rows, origin, 'POST')).toEqual({
        ok: false,
        denial: {
          code: 'cors_origin_not_allowed',
          reason: 'cors site does not list this origin',
          route: rows[0]?.route,
        },
      });
    }
  });

  test('is none where no row of the path has cors', () => {
    expect(judgePreflight([row('GET', null), row('POST', null)], from, 'GET')).toBeNull();
  });
});
