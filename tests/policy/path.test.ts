import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTarget, targetBytesMax } from '../../policy/path.ts';
import { fuzz } from '../support/fuzz.ts';

const codeOf = (target: string): string => {
  const outcome = parseTarget(target);
  return outcome.ok ? 'accepted' : outcome.denial.code;
};

describe('a path that two parsers could read differently is refused', () => {
  test.each([
    ['P1 dot segments', ['/public/../admin', '/..', '/.', '/a/.', '/a/..', '/./a', '/../', '/a/./b']],
    [
      'P2 encoded separators',
      ['/a%2fb', '/a%2Fb', '/a%5cb', '/a%5Cb', '/a%00', '/a%23b', '/a%3fb', '/a%3Fb'],
    ],
    ['P3 encoded plain letters', ['/%76%31/events', '/%41dmin', '/a%2Db', '/a%5Fb', '/a%7Eb', '/a%30']],
    ['P4 double encoding', ['/%252e%252e/a', '/%25%32%65', '/a%25', '/%2541']],
    [
      'P5 parameters after dots',
      ['/user/..;foo=bar/admin', '/..;/admin', '/.;/a', '/a/..;', '/a%3bb', '/a%3Bb'],
    ],
    ['P6 empty segments', ['//', '//admin', '/v1//events', '/v1/events//', '///']],
    ['P9 backslashes', ['/\\admin', '/x\\..\\admin', '/a\\']],
    [
      'P10 control and high bytes',
      ['/a\x00', '/a\x1f', '/a\x7f', '/a\x80', '/aé', '/a b', '/a\tb', '/a%0a', '/a%7f'],
    ],
    ['P13 wildcard escapes', ['/public/a/../../admin', '/public/a%2fadmin']],
    [
      'P15 look-alikes',
      ['/%c0%ae%c0%ae/a', '/%ef%bc%8fa', '/%ef%bc%8e%ef%bc%8e/a', '/%u002e', '/%c5%bf', '/%e2%84%aa'],
    ],
    ['bad escapes', ['/%', '/%4', '/%zz', '/%e4', '/%ff', '/%ed%a0%80', '/%c2%85']],
    ['bytes that must be encoded', ['/a"', '/a<b', '/a>b', '/a^b', '/a`b', '/a{b', '/a|b', '/a}b', '/a[b]']],
  ])('%s', (_, targets) => {
    for (const target of targets) expect([target, codeOf(target)]).toEqual([target, 'path_ambiguous']);
  });

  test('P8 a fragment is refused wherever it stands', () => {
    expect(codeOf('/admin#x')).toBe('path_ambiguous');
    expect(codeOf('/public#/../admin')).toBe('path_ambiguous');
    expect(codeOf('/public?a#b')).toBe('request_malformed');
  });

  test('P11 only the origin form is read: 14 schemes by 11 hosts, and the other forms', () => {
    const schemes = [
      ...['http', 'https', 'HTTP', 'hTTp', 'ws', 'wss', 'ftp', 'file', 'gopher', 'javascript', 'data', 'h2c'],
      ...['unix', ''],
    ];
    const hosts = [
      ...[
        'h',
        'h:80',
        'localhost',
        '127.0.0.1',
        '[::1]',
        'user@h',
        'user:pw@h',
        'h.',
        '0x7f.1',
        '',
        '169.254.169.254',
      ],
    ];
    for (const scheme of schemes) {
      for (const host of hosts) expect(codeOf(`${scheme}://${host}/public`)).not.toBe('accepted');
    }
    for (const other of ['*', 'h:443', 'public', '', '?', '?a', '#', '%2fpublic', ' /public', '\\public']) {
      expect([other, codeOf(other)]).toEqual([other, 'request_malformed']);
    }
  });

  test('P7 P12 P16 what is accepted is exactly what was sent: no case, slash, suffix or query plays a part', () => {
    for (const path of [
      '/',
      '/ADMIN',
      '/Admin',
      '/admin/',
      '/admin.json',
      '/a/...',
      '/a.',
      '/.a',
      '/..a',
      '/~u',
    ]) {
      expect(parseTarget(path)).toEqual({ ok: true, value: { path, query: null } });
    }
    expect(parseTarget('/v1/events?x=/public/../..//%2e')).toEqual({
      ok: true,
      value: { path: '/v1/events', query: 'x=/public/../..//%2e' },
    });
    for (const path of [
      "/!$&'()*+,=:@;-._~",
      '/a%20b',
      '/a%22b',
      '/%C3%A4',
      '/%e2%82%ac',
      '/a%7Cb',
      '/a;b=1',
    ]) {
      expect(parseTarget(`${path}?`)).toEqual({ ok: true, value: { path, query: '' } });
    }
  });

  test('the query passes byte for byte where it is printable, and nothing else passes', () => {
    expect(parseTarget('/a?x=|{}"<>^`\\%zz??&&=')).toEqual({
      ok: true,
      value: { path: '/a', query: 'x=|{}"<>^`\\%zz??&&=' },
    });
    for (const byte of ['\x00', '\n', '\r', ' ', '\x7f', 'é', '#']) {
      expect(codeOf(`/a?x=${byte}`)).toBe('request_malformed');
    }
  });

  test('the length limit is in whole targets, and is judged first', () => {
    expect(codeOf(`/${'a'.repeat(targetBytesMax - 1)}`)).toBe('accepted');
    expect(codeOf(`/${'a'.repeat(targetBytesMax)}`)).toBe('uri_too_long');
    expect(codeOf(`/a?${'\n'.repeat(targetBytesMax)}`)).toBe('uri_too_long');
  });
});

const separators = ['/', '\\', '%2f', '%2F', '%5c', '%5C', '%252f', '%255c', '%c0%af', '%ef%bc%8f', '//'];
const dots = [
  ...['.', '..', '%2e', '%2e%2e', '%2E%2E', '.%2e', '%2e.', '%252e%252e', '%25%32%65', '..;', '..;a=b', '.;'],
  ...['..%00', '..%3b', '..%09', '%c0%ae%c0%ae', '%ef%bc%8e%ef%bc%8e', '%u002e%u002e', '...', '..%20'],
];

test('P2 of 11 separators by 20 dots by 2 depths only names that merely begin with dots are accepted', () => {
  const accepted = new Set<string>();
  let tried = 0;
  for (const separator of separators) {
    for (const dot of dots) {
      for (const up of [dot, `${dot}${separator}${dot}`]) {
        const path = `/public${separator}${up}${separator}admin`;
        tried++;
        if (!parseTarget(path).ok) continue;
        accepted.add(path);
        expect(new URL(`http://h${path}`).pathname).toBe(path);
      }
    }
  }
  expect(tried).toBe(440);
  expect([...accepted]).toEqual([
    ...['/public/.../admin', '/public/.../.../admin', '/public/..%20/admin', '/public/..%20/..%20/admin'],
  ]);
});

/** Mostly what may stand in a path, spiced with what attackers put there. */
const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('/', '/', '/', 'a', 'B', '7', '.', '-', '_', '~', ':', '@', ';', '=', '+'),
  },
  { weight: 2, arbitrary: fc.constantFrom('%20', '%22', '%7C', '%C3%A4', '%e2%82%ac', '%F0%9F%98%80') },
  { weight: 1, arbitrary: fc.constantFrom(...separators, ...dots, '#', '?', '%', '\0', ' ', 'é') },
  { weight: 1, arbitrary: fc.nat(255).map((byte) => `%${byte.toString(16).padStart(2, '0')}`) },
  {
    weight: 1,
    arbitrary: fc
      .nat(0x10ffff)
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => encodeURIComponent(String.fromCodePoint(code))),
  },
);
const anyPath = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);

test('an accepted path means the same to every later reader', () => {
  let accepted = 0;
  fc.assert(
    fc.property(anyPath, (target) => {
      const outcome = parseTarget(target);
      if (!outcome.ok) return;
      accepted++;
      const { path, query } = outcome.value;
      expect(query === null ? path : `${path}?${query}`).toBe(target);
      expect(path).toMatch(/^[\x21-\x7e]+$/);
      expect(path).not.toMatch(/[#?\\"<>^`{|}[\]]/);
      expect(new URL(`http://h${path}`).pathname).toBe(path);
      const segments = path.split('/');
      const decoded = decodeURIComponent(path);
      for (const reading of [decoded, decoded.normalize('NFKC'), decodeURIComponent(decoded)]) {
        expect(reading.split(/[/\\]/)).toHaveLength(segments.length);
        for (const segment of reading.split('/')) expect(segment.replace(/;.*$/, '')).not.toMatch(/^\.\.?$/);
      }
    }),
    fuzz(20_000),
  );
  expect(accepted).toBeGreaterThan(100);
});
