import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutFor, readCredential } from '../../gateway/credential.ts';
import { cutFromCookie } from '../../gateway/credential-cookie.ts';
import { cutFromQuery } from '../../gateway/credential-query.ts';
import { checksumOf, endsInChecksum, splitIdPipe } from '../../store/token-format.ts';
import { loaded } from '../fixtures/config.ts';
import { fuzz } from '../support/fuzz.ts';
import { gatePolicy, gateRoute, goodToken } from '../support/gate.ts';

const latin1 = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 12 });
const part = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      ...['Bearer', ' ', 'u_', 'u_long_', goodToken, '__proto__', '=', ';', ',', '%', '\0', '\u00a0'],
    ),
  },
  { weight: 1, arbitrary: latin1 },
);
const nearly = fc.oneof(
  fc.constantFrom(
    goodToken,
    `Bearer ${goodToken}`,
    `bearer u_long_${goodToken}`,
    `BEARER ${goodToken}`,
    `Bearer  ${goodToken}`,
    `Bearer\t${goodToken}`,
    `session=${goodToken}`,
    `a; session=${goodToken}`,
  ),
  fc.array(part, { maxLength: 5 }).map((parts) => parts.join('')),
);
const name = fc.constantFrom(
  'Authorization',
  'authorization',
  'X-User-Token',
  'X-Device',
  'Cookie',
  '__proto__',
);
const headers = fc.array(fc.tuple(name, nearly), { maxLength: 4 }).map((fields) => fields.flat());
const queryKey = fc.constantFrom('token', 'a', 't%6Fken', 'Token', 'token%', '', 'tok%65n', '%zz', 'token[]');
const pair = fc.oneof(
  fc.tuple(queryKey, nearly).map(([key, value]) => `${key}=${value.replaceAll('&', '')}`),
  queryKey,
);
const query = fc.option(fc.array(pair, { maxLength: 5 }).map((pairs) => pairs.join('&')));
const route = gateRoute('/user');

describe('whatever is sent as a credential', () => {
  test('is read as a token of ours or refused by a name, and never makes the reader throw', () => {
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(headers, query, (rawHeaders, text) => {
        const outcome = readCredential(rawHeaders, text, route, gatePolicy);
        outcomes.add(outcome.ok ? outcome.value.source.kind : outcome.denial.code);
        if (!outcome.ok) return;
        const { plaintext, prefix, types } = outcome.value;
        expect(plaintext).toMatch(/^[A-Za-z0-9._~+/=|-]{16,512}$/);
        expect(plaintext.startsWith(prefix)).toBe(true);
        expect(types.map((type) => type.prefixes.includes(prefix))).toEqual([true]);
      }),
      fuzz(5000),
    );
    const codes = ['credential_ambiguous', 'credential_malformed', 'credential_missing'];
    expect([...outcomes].sort()).toEqual(['bearer', 'cookie', ...codes, 'header', 'query']);
  });

  test('is read under a strict scheme as without, but for what is not Bearer to the letter', () => {
    const strict = { ...route, strictScheme: true } as const;
    let [alike, refused] = [0, 0];
    fc.assert(
      fc.property(headers, query, (rawHeaders, text) => {
        const outcome = readCredential(rawHeaders, text, strict, gatePolicy);
        const loose = readCredential(rawHeaders, text, route, gatePolicy);
        if (loose.ok && loose.value.source.kind === 'bearer') {
          const value = rawHeaders.find(
            (_, i) => /^authorization$/i.test(rawHeaders[i - 1] ?? '') && i % 2 === 1,
          );
          if (value !== `Bearer ${loose.value.plaintext}`) {
            refused++;
            expect(outcome).toMatchObject({ ok: false, denial: { code: 'credential_malformed' } });
            return;
          }
        }
        if (loose.ok) alike++;
        expect(outcome.ok ? outcome : outcome.denial.code).toEqual(loose.ok ? loose : loose.denial.code);
      }),
      fuzz(5000),
    );
    expect(Math.min(alike, refused)).toBeGreaterThan(50);
  });

  test('is no longer found in what is forwarded', () => {
    fc.assert(
      fc.property(headers, query, (rawHeaders, text) => {
        const cut = cutFor(route, text);
        const left = rawHeaders.flatMap((field, i) => {
          if (i % 2 === 1 || cut.fields.has(field.toLowerCase())) return [];
          const value = rawHeaders[i + 1] ?? '';
          const kept = field === 'Cookie' ? cutFromCookie(value, cut.cookies) : value;
          return kept === null ? [] : [field, kept];
        });
        const again = readCredential(left, cut.query, route, gatePolicy);
        expect(again).toMatchObject({ ok: false, denial: { code: 'credential_missing' } });
      }),
      fuzz(5000),
    );
  });
});

describe('where types of every format share a source', () => {
  const { policy } = loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  piped: { format: id_pipe_random }
  other: { format: id_pipe_random, sources: ["header:X-Other"] }
  bare: {}
  plain: { prefix: p_ }
  checked: { prefix: p_ck_, aliases: [ck|], checksum: required }
apis:
  main:
    to: app
    routes:
      GET /: { allow: { piped: any_scope, other: any_scope, bare: any_scope, plain: any_scope, checked: any_scope } }
`);
  const everyType = policy.find('any', '/')[0]?.route ?? route;
  const token = fc
    .array(fc.constantFrom('p_', 'p_ck_', 'ck', 'ck|', '|', '2', '07_x-Y', 'tok.en', 'r:', 'A'.repeat(16)), {
      minLength: 1,
      maxLength: 6,
    })
    .chain((parts) => fc.constantFrom(parts.join(''), parts.join('') + checksumOf(parts.join(''))));

  /** What the words of the config say, without any of the code that reads them. */
  function typesOf(text: string): string {
    if (!/^[A-Za-z0-9._~+/=|-]{16,512}$/.test(text)) return 'none';
    if (/^(?:p_ck_|ck\|)/.test(text)) return endsInChecksum(text) ? 'checked' : 'none';
    if (text.startsWith('p_')) return 'plain';
    return /^[A-Za-z0-9_-]{1,64}\|./.test(text) ? 'piped' : 'bare';
  }

  test('each text is of the one format it shows, whatever it is made of', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(token, (text) => {
        const outcome = readCredential(['Authorization', `Bearer ${text}`], null, everyType, policy);
        const types = outcome.ok ? outcome.value.types.map(({ name }) => name).join() : 'none';
        seen.add(types);
        expect(types).toBe(typesOf(text));
        if (types === 'piped') expect(splitIdPipe(text)).not.toBeNull();
      }),
      fuzz(5000),
    );
    expect([...seen].sort()).toEqual(['bare', 'checked', 'none', 'piped', 'plain']);
  });
});

describe('the cut from a query', () => {
  const foreign = fc
    .string({ unit: fc.constantFrom(...'abt=%|";+7 '), maxLength: 6 })
    .filter((text) => !/^token(?:=|$)/.test(text));
  const own = fc.constantFrom('token=x', 'token', 'token=', 'token=a=b', 't%6fken=x', '%74oken');
  const marked = fc.array(
    fc.oneof(
      foreign.map((text) => ({ text, isOurs: false })),
      own.map((text) => ({ text, isOurs: true })),
    ),
    { minLength: 1, maxLength: 8 },
  );

  test('takes exactly its own pairs and one & each; every other byte stays', () => {
    fc.assert(
      fc.property(marked, (pairs) => {
        const left = pairs.filter(({ isOurs }) => !isOurs).map(({ text }) => text);
        const whole = pairs.map(({ text }) => text).join('&');
        expect(cutFromQuery(whole, 'token')).toBe(left.length === 0 ? null : left.join('&'));
      }),
      fuzz(5000),
    );
  });
});
