import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkOriginPin } from '../../policy/checks/origin-pin.ts';
import { normaliseOrigin } from '../../policy/origin.ts';
import { fuzz } from '../support/fuzz.ts';
import { factsOf, matchOf, noon, tokenOf, typeOf } from '../support/policy.ts';

const presented = { source: { kind: 'bearer' as const }, csrf: [] };
const pinned = tokenOf({ origins: ['https://app.example.com', 'http://localhost:3000'] });

function refusal(
  origin: string | null,
  whenMissing: 'allow' | 'deny' | 'off',
  token = pinned,
): string | null {
  const originPin = whenMissing === 'off' ? null : { kind: 'origin' as const, name: 'site', whenMissing };
  const question = { match: matchOf({ originPin }), facts: factsOf({ origin }), token, type: typeOf() };
  return checkOriginPin({ ...question, presented, scopes: [], now: noon })?.code ?? null;
}

/** 55 values that a careless comparison takes for the pinned origin. */
const others: readonly string[] = [
  // suffix and prefix
  ...['https://evilapp.example.com', 'https://app.example.com.evil.test', 'https://app.example.comevil.test'],
  ...['https://evil.test/https://app.example.com', 'https://evil.test?https://app.example.com'],
  ...['https://evil.test#https://app.example.com', 'https://x.app.example.com', 'https://example.com'],
  ...[
    'https://app-example.com',
    'https://appxexample.com',
    'https://app.example.co',
    'https://app.example.comm',
  ],
  // scheme
  ...['http://app.example.com', 'ftp://app.example.com', 'wss://app.example.com', 'file://app.example.com'],
  ...['chrome-extension://app.example.com', 'app.example.com', '//app.example.com', 'https:app.example.com'],
  ...[
    'https:/app.example.com',
    'https:///app.example.com',
    'data:https://app.example.com',
    'blob:https://app.example.com',
  ],
  // port
  ...[
    'https://app.example.com:8443',
    'https://app.example.com:80',
    'https://app.example.com:',
    'https://app.example.com:0',
  ],
  ...[
    'https://app.example.com:65979',
    'https://app.example.com:443443',
    'https://app.example.com:+443',
    'http://localhost:3001',
  ],
  ...[
    'http://localhost',
    'https://localhost:3000',
    'http://localhost:3000.evil.test',
    'http://localhost:30000',
  ],
  // user info, path, query, fragment
  ...['https://u@app.example.com', 'https://u:p@app.example.com', 'https://app.example.com@evil.test'],
  ...[
    'https://app.example.com/',
    'https://app.example.com/x',
    'https://app.example.com?x',
    'https://app.example.com#x',
  ],
  // other names for it
  ...[
    'https://app.example.com.',
    'https://app%2eexample.com',
    'https://app。example.com',
    'https://аpp.example.com',
  ],
  ...[
    'https://xn--pp-6kc.example.com',
    'https://app..example.com',
    'https://*.example.com',
    'https://app_example.com',
  ],
  // several, padded, nothing
  ...[
    'https://app.example.com https://evil.test',
    'https://evil.test, https://app.example.com',
    ' https://app.example.com',
  ],
  'null',
];

describe('a pinned token', () => {
  test('is refused from 55 origins that only look like its own', () => {
    expect(others).toHaveLength(55);
    expect(new Set(others).size).toBe(55);
    for (const origin of others) {
      for (const whenMissing of ['allow', 'deny'] as const) {
        expect([origin, refusal(origin, whenMissing)]).toEqual([origin, 'origin_not_allowed']);
      }
    }
  });

  test('passes from its own, in every spelling that RFC 6454 calls the same', () => {
    for (const origin of [
      ...['https://app.example.com', 'https://app.example.com:443', 'HTTPS://App.Example.COM'],
      ...['https://app.example.com:00443', 'http://localhost:3000', 'http://LOCALHOST:3000'],
    ]) {
      expect([origin, refusal(origin, 'deny')]).toEqual([origin, null]);
    }
  });

  test('without any Origin does as the pin says', () => {
    expect(refusal(null, 'allow')).toBeNull();
    expect(refusal(null, 'deny')).toBe('origin_not_allowed');
  });

  test('is refused from an empty Origin: that is a value, and on no list', () => {
    expect(refusal('', 'allow')).toBe('origin_not_allowed');
  });

  test('passes where the row opted out', () => {
    expect(refusal('https://evil.test', 'off')).toBeNull();
  });
});

test('a token without a list may be used from anywhere', () => {
  for (const origin of ['https://evil.test', 'null', null]) {
    expect(refusal(origin, 'deny', tokenOf())).toBeNull();
  }
});

test.each([
  ['http://[::1]:8080', 'http://[::1]:8080'],
  ['http://127.0.0.1:80', 'http://127.0.0.1'],
  ['https://a.test:80', 'https://a.test:80'],
  ['http://a.test:443', 'http://a.test:443'],
  ['https://a.test:65536', null],
  ['https://a..test', null],
  ['https://-a.test', null],
  [`https://${'a'.repeat(2050)}.test`, null],
])('%s is normalised to %s', (text, normal) => {
  expect(normaliseOrigin(text)).toBe(normal);
});

test('what is normalised is what a browser would send, and stays itself', () => {
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
  );
  const origin = fc
    .tuple(fc.constantFrom('http', 'https'), host, fc.option(fc.nat(65_535)))
    .map(([scheme, name, port]) => `${scheme}://${name}${port === null ? '' : `:${port}`}`);
  fc.assert(
    fc.property(origin, (text) => {
      const normal = normaliseOrigin(text);
      if (normal === null) return;
      expect(normaliseOrigin(normal)).toBe(normal);
      if (!text.includes('[')) expect(normal).toBe(new URL(text).origin);
    }),
    fuzz(1000),
  );
});
