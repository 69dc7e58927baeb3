import { describe, expect, test } from 'vitest';
import { cutFor, readCredential } from '../../gateway/credential.ts';
import { cutFromCookie } from '../../gateway/credential-cookie.ts';
import { cutFromQuery } from '../../gateway/credential-query.ts';
import { gatePolicy, gateRoute, goodToken as T } from '../support/gate.ts';

/** `SOURCE TYPE`, or the code it is refused with. */
function read(rawHeaders: readonly string[], query: string | null = null): string {
  const outcome = readCredential(rawHeaders, query, gateRoute('/user'), gatePolicy);
  if (!outcome.ok) return outcome.denial.code;
  const { source, types } = outcome.value;
  return `${source.kind} ${types.map(({ name }) => name).join()}`;
}

const bearer = (...values: readonly string[]) => read(values.flatMap((value) => ['Authorization', value]));

describe('T1 the Authorization field', () => {
  test.each([`Bearer ${T}`, `bearer ${T}`, `BEARER ${T}`, `bEaReR ${T}`])('"%s" is read', (value) => {
    expect(bearer(value)).toBe('bearer user');
  });

  test.each([
    ...[
      `Token ${T}`,
      `Basic ${T}`,
      `Digest ${T}`,
      `ApiKey ${T}`,
      `JWT ${T}`,
      T,
      `Bearer${T}`,
      'Bearer',
      'Bearer ',
    ],
    ...[`Bearer\u00a0${T}`, `Bearer\t${T}`, `Bearer\u2003${T}`, `Bearer\0${T}`, `Bearer\u000b${T}`],
    ...[
      `Bearer  ${T}`,
      `Bearer ${T} `,
      ` Bearer ${T}`,
      `Bearer ${T} x`,
      `Bearer ${T}, Bearer ${T}`,
      `Bearer ${T},`,
    ],
    ...[
      `Bearer: ${T}`,
      `Bearer=${T}`,
      `Bearer,${T}`,
      `Bearer "${T}"`,
      `Bearer token="${T}"`,
      `Bearer Bearer ${T}`,
    ],
    ...[
      `Bearer ${T}\u00a0`,
      `Bearer ${T}\0`,
      `Bearer ${T}é`,
      `Bearer ${T}%41`,
      `Bearer ${T};`,
      `xBearer ${T}`,
      `Bearerx ${T}`,
    ],
    ...[
      'Bearer __proto__',
      'Bearer constructor',
      `Bearer x_${T}`,
      `Bearer U_${T.slice(2)}`,
      'Bearer null',
      'Bearer undefined',
    ],
  ])('"%s" is not', (value) => {
    expect(bearer(value)).toBe('credential_malformed');
  });

  test('twice is ambiguous, even if both agree', () => {
    expect(bearer(`Bearer ${T}`, `Bearer ${T}`)).toBe('credential_ambiguous');
    expect(bearer(`Bearer ${T}`, 'Basic x')).toBe('credential_ambiguous');
    expect(bearer('', `Bearer ${T}`)).toBe('credential_ambiguous');
    expect(read(['authorization', `Bearer ${T}`, 'AUTHORIZATION', ''])).toBe('credential_ambiguous');
  });

  test('absent or empty is missing', () => {
    expect(read([])).toBe('credential_missing');
    expect(bearer('')).toBe('credential_missing');
  });
});

describe('a token', () => {
  test.each([
    [`u_${'A'.repeat(14)}`, 'bearer user'],
    [`u_${'A'.repeat(13)}`, 'credential_malformed'],
    [`u_${'A'.repeat(510)}`, 'bearer user'],
    [`u_${'A'.repeat(511)}`, 'credential_malformed'],
    ['u_aB0._~+/=|-aB0._', 'bearer user'],
    [`user_${'A'.repeat(20)}`, 'bearer user'],
    [`u_long_${'A'.repeat(20)}`, 'bearer longer'],
    [`u_lon_${'A'.repeat(20)}`, 'bearer user'],
    [`d_${'A'.repeat(20)}`, 'credential_malformed'],
    [`zz_${'A'.repeat(20)}`, 'credential_malformed'],
  ])('%s is sorted as %s', (token, sorted) => {
    expect(bearer(`Bearer ${token}`)).toBe(sorted);
  });

  test("of a type is read only from that type's sources", () => {
    expect(read(['X-Device', `d_${'A'.repeat(20)}`])).toBe('header device');
    expect(read(['X-Device', T])).toBe('credential_malformed');
    expect(read(['X-User-Token', `u_long_${'A'.repeat(20)}`])).toBe('credential_malformed');
  });
});

describe('the sources', () => {
  const all = { header: ['X-User-Token', T], cookie: ['Cookie', `session=${T}`], query: `token=${T}` };

  test('are asked in order, and the first that is not empty decides', () => {
    expect(read([...all.cookie, ...all.header, 'Authorization', `Bearer ${T}`], all.query)).toBe(
      'bearer user',
    );
    expect(read([...all.cookie, ...all.header], all.query)).toBe('header user');
    expect(read(all.cookie, all.query)).toBe('query user');
    expect(read(all.cookie)).toBe('cookie user');
    expect(read(['X-User-Token', '', ...all.cookie], 'token=')).toBe('cookie user');
  });

  test('a bad first one is not helped by a good second one', () => {
    expect(read(['Authorization', 'Basic x', ...all.header], all.query)).toBe('credential_malformed');
    expect(read(['X-User-Token', 'x', ...all.cookie], all.query)).toBe('credential_malformed');
  });

  test('a header sent twice is ambiguous', () => {
    expect(read(['X-User-Token', T, 'x-user-token', T])).toBe('credential_ambiguous');
  });

  test('a cookie counts only where no Authorization stands', () => {
    expect(read(['Authorization', '', ...all.cookie])).toBe('credential_missing');
  });
});

describe('the query', () => {
  test.each([
    [`token=${T}`, 'query user'],
    [`a=1&token=${T}&b`, 'query user'],
    [`token=${T.replace('A', '%41')}`, 'query user'],
    [`token=${T}&token=${T}`, 'credential_ambiguous'],
    [`token=&token=${T}`, 'credential_ambiguous'],
    [`token&token=${T}`, 'credential_ambiguous'],
    [`t%6Fken=${T}`, 'credential_ambiguous'],
    [`%74%6f%6b%65%6e=${T}`, 'credential_ambiguous'],
    [`token=${T}&t%6fken=x`, 'credential_ambiguous'],
    ['token=', 'credential_missing'],
    ['token', 'credential_missing'],
    ['', 'credential_missing'],
    [`Token=${T}`, 'credential_missing'],
    [`token[]=${T}`, 'credential_missing'],
    [`xtoken=${T}`, 'credential_missing'],
    [`a=token=${T}`, 'credential_missing'],
    [`token=${T}%zz`, 'credential_malformed'],
    [`token=${T}%ff`, 'credential_malformed'],
    [`token=${T}%00`, 'credential_malformed'],
    [`token=${T}%20`, 'credential_malformed'],
    [`token==${T}`, 'credential_malformed'],
  ])('"%s": %s', (query, result) => {
    expect(read([], query)).toBe(result);
  });
});

describe('cookies', () => {
  const cookies = (...values: readonly string[]) => read(values.flatMap((value) => ['Cookie', value]));
  test.each([
    [[`session=${T}`], 'cookie user'],
    [[`a=1; session=${T}; b=2`], 'cookie user'],
    [['a=1', `session=${T}`], 'cookie user'],
    [[`session=${T}; session=${T}`], 'credential_ambiguous'],
    [[`session=${T}`, `session=${T}`], 'credential_ambiguous'],
    [[`session=; session=${T}`], 'credential_ambiguous'],
    [['session='], 'credential_missing'],
    [['session'], 'credential_missing'],
    [[`Session=${T}`], 'credential_missing'],
    [[`xsession=${T}`], 'credential_missing'],
    [[`a=session=${T}`], 'credential_missing'],
    [[`session="${T}"`], 'credential_malformed'],
  ])('%j: %s', (values, result) => {
    expect(cookies(...values)).toBe(result);
  });
});

describe('what must not reach the upstream', () => {
  const secret = `x=1&token=${T}&y=2`;

  test('of a protected row is every source of its api, read or not', () => {
    const { fields, cookies, query } = cutFor(gateRoute('/user'), secret);
    expect([...fields].sort()).toEqual(['authorization', 'x-device', 'x-user-token']);
    expect([...cookies]).toEqual(['session']);
    expect(query).toBe('x=1&y=2');
  });

  test('of a public row is nothing, unless it says strip', () => {
    expect(cutFor(gateRoute('/pass'), secret)).toEqual({
      fields: new Set(),
      cookies: new Set(),
      query: secret,
    });
    const { fields, ...rest } = cutFor(gateRoute('/strip'), secret);
    const { fields: fieldsOfUser, ...restOfUser } = cutFor(gateRoute('/user'), secret);
    expect(rest).toEqual(restOfUser);
    expect(fields).toEqual(new Set([...fieldsOfUser, 'cookie']));
  });

  test.each([
    [null, null],
    ['', ''],
    ['a=1', 'a=1'],
    ['token=x', null],
    ['token', null],
    ['token=x&a', 'a'],
    ['a&token=x', 'a'],
    ['a&token=x&b', 'a&b'],
    ['a&&token=x&&b', 'a&&&b'],
    ['token=x&token=y', null],
    ['a=%zz|"&t%6Fken=x&%', 'a=%zz|"&%'],
    ['tokens=x&xtoken=y&a=token', 'tokens=x&xtoken=y&a=token'],
  ])('of the query %j leaves %j', (query, left) => {
    expect(cutFromQuery(query, 'token')).toBe(left);
  });

  test.each([
    ['session=x', null],
    ['a=1; session=x; b=2', 'a=1; b=2'],
    ['session=x; a=1', 'a=1'],
    ['session=x; session=y', null],
    ['a=1;b="2"; xsession=3', 'a=1;b="2"; xsession=3'],
    [' session = x ;a', 'a'],
  ])('of the cookies "%s" leaves %j', (field, left) => {
    expect(cutFromCookie(field, new Set(['session']))).toBe(left);
  });
});
