import { describe, expect, test } from 'vitest';
import { framingOf, type Head } from '../../gateway/head.ts';
import { readFacts } from '../../gateway/request.ts';

type Fields = readonly (readonly [name: string, value: string])[];

function headOf(fields: Fields, rest: Partial<Head> = {}): Head {
  return {
    method: 'GET',
    target: '/a',
    httpVersion: '1.1',
    rawHeaders: fields.flat(),
    peer: '192.0.2.1',
    ...rest,
  };
}

const host = ['Host', 'api.test'] as const;

/** 'accepted', or the code it is refused with. */
function answer(fields: Fields, rest: Partial<Head> = {}): string {
  const outcome = readFacts(headOf(fields, rest), 'id');
  return outcome.ok ? 'accepted' : outcome.denial.code;
}

const refusedWith = (code: string, fields: Fields, rest: Partial<Head> = {}) =>
  expect([fields, rest, answer(fields, rest)]).toEqual([fields, rest, code]);

describe('facts of a request', () => {
  test('are what was sent, byte for byte, with host and address in one spelling', () => {
    const head = headOf(
      [
        ['Host', 'API.test:8080'],
        ['Origin', 'https://App.test'],
        ['X', 'y'],
      ],
      {
        method: 'POST',
        target: '/a%20b?x=%2e|',
        peer: '::ffff:192.0.2.7',
      },
    );
    expect(readFacts(head, 'id-1')).toEqual({
      ok: true,
      value: {
        requestId: 'id-1',
        method: 'POST',
        host: 'api.test',
        path: '/a%20b',
        query: 'x=%2e|',
        origin: 'https://App.test',
        address: '192.0.2.7',
      },
    });
  });

  test('without query or Origin say null', () => {
    expect(readFacts(headOf([host]), 'id')).toMatchObject({ ok: true, value: { query: null, origin: null } });
  });

  test('take field names as text: __proto__ and constructor are only names', () => {
    expect(answer([host, ['__proto__', 'x'], ['constructor', 'y'], ['toString', 'z']])).toBe('accepted');
    refusedWith('request_malformed', [['__proto__', 'x']]);
  });

  test('are not read from a path two parsers could read differently', () => {
    refusedWith('path_ambiguous', [host], { target: '/a/../b' });
    refusedWith('request_malformed', [host], { target: 'http://api.test/a' });
    refusedWith('uri_too_long', [host], { target: `/${'a'.repeat(9000)}` });
  });
});

describe('S1 a length and a coding together', () => {
  const codings = [
    ...[
      'chunked',
      'Chunked',
      'CHUNKED',
      ' chunked',
      'chunked ',
      '\tchunked',
      'chunked\t',
      'xchunked',
      'chunkedx',
      '',
    ],
    ...[
      'identity',
      'gzip',
      'deflate',
      'compress',
      'br',
      'x-gzip',
      'trailers',
      'none',
      'true',
      '0',
      '1',
      'null',
      '*',
    ],
    ...[
      'chunked, identity',
      'identity, chunked',
      'gzip, chunked',
      'chunked, chunked',
      'chunked;q=1',
      'chunked,',
      ',chunked',
    ],
    ...[
      'chunk',
      'chunked\x0b',
      '\x0bchunked',
      'chunked\x00',
      '"chunked"',
      "'chunked'",
      'c hunked',
      'chun\tked',
      'chunked,,',
    ],
    ...[
      'chunKed',
      'cHUNKED',
      'chunked\xa0',
      '\xa0chunked',
      'chunked\x85',
      'chunked/1',
      'chunked:1',
      'chunked=1',
      'chunk-ed',
      '[chunked]',
      '%63hunked',
    ],
  ];

  test('are refused in 50 spellings of the coding, in both orders, for each kind of length', () => {
    expect(new Set(codings).size).toBe(50);
    for (const coding of codings) {
      for (const length of ['0', '5']) {
        const te = ['Transfer-Encoding', coding] as const;
        const cl = ['Content-Length', length] as const;
        refusedWith('request_malformed', [host, te, cl], { method: 'POST' });
        refusedWith('request_malformed', [host, cl, te], { method: 'POST' });
      }
    }
  });

  test('alone only exactly one plain chunked passes, in any case', () => {
    for (const coding of codings) {
      const isPlain = /^chunked$/i.test(coding);
      expect([coding, answer([host, ['Transfer-Encoding', coding]])]).toEqual([
        coding,
        isPlain ? 'accepted' : 'request_malformed',
      ]);
    }
    refusedWith('request_malformed', [
      host,
      ['Transfer-Encoding', 'chunked'],
      ['transfer-encoding', 'chunked'],
    ]);
    refusedWith('request_malformed', [host, ['Transfer-Encoding', 'chunked']], { httpVersion: '1.0' });
  });
});

describe('S2 a length', () => {
  const odd = [
    ...[
      '',
      ' ',
      '+5',
      '-5',
      '-0',
      '5.0',
      '5e1',
      '0x5',
      '5,5',
      '5, 5',
      '5;',
      '5 5',
      ' 5',
      '5 ',
      '\t5',
      '5\t',
      '5\x00',
      '5a',
      'a5',
    ],
    ...['0_5', '５', '٥', 'NaN', 'Infinity', '1'.repeat(16), '9'.repeat(400), '5\r', "'5'", '"5"', '%35'],
  ];

  test('in any of 30 odd forms is refused', () => {
    expect(new Set(odd).size).toBe(30);
    for (const length of odd) refusedWith('request_malformed', [host, ['Content-Length', length]]);
  });

  test('twice is refused, even if both agree', () => {
    refusedWith('request_malformed', [host, ['Content-Length', '5'], ['Content-Length', '5']]);
    refusedWith('request_malformed', [host, ['Content-Length', '5'], ['content-length', '6']]);
  });

  test.each([
    ['0', { hasBody: false, bytes: 0 }],
    ['5', { hasBody: true, bytes: 5 }],
    ['000', { hasBody: false, bytes: 0 }],
    ['0005', { hasBody: true, bytes: 5 }],
    ['999999999999999', { hasBody: true, bytes: 999_999_999_999_999 }],
  ])('of %s is that many bytes', (length, framing) => {
    const fields = [host, ['Content-Length', length]] as const;
    expect(answer(fields)).toBe('accepted');
    expect(framingOf(fields.flat())).toEqual(framing);
  });

  test('absent means none, unless the body is chunked', () => {
    expect(framingOf([...host])).toEqual({ hasBody: false, bytes: 0 });
    expect(framingOf([...host, 'Transfer-Encoding', 'chunked'])).toEqual({ hasBody: true, bytes: null });
  });
});

describe('S8 the version', () => {
  test.each(['1.1', '1.0'])('%s is spoken', (httpVersion) => {
    expect(answer([host], { httpVersion })).toBe('accepted');
  });

  test.each(['0.9', '1.2', '2.0', '3.0', '', '1', '1.10', '11', 'HTTP/1.1'])('"%s" is not', (httpVersion) => {
    refusedWith('request_malformed', [host], { httpVersion });
  });
});

describe('H10 the Host', () => {
  test('is there exactly once', () => {
    refusedWith('request_malformed', []);
    refusedWith('request_malformed', [host, host]);
    refusedWith('request_malformed', [host, ['hOST', 'evil.test']]);
    refusedWith('request_malformed', [host, ['Host', '']]);
  });

  test.each([
    ['a.test', 'a.test'],
    ['A.Test:80', 'a.test'],
    ['localhost', 'localhost'],
    ['127.0.0.1:9', '127.0.0.1'],
    ['[::1]:8080', '[::1]'],
    ['[2001:DB8::1]', '[2001:db8::1]'],
    ['a_b.test', 'a_b.test'],
    ['xn--bcher-kva.test', 'xn--bcher-kva.test'],
    ['a.test:65535', 'a.test'],
  ])('%s is %s', (value, name) => {
    expect(readFacts(headOf([['Host', value]]), 'id')).toMatchObject({ ok: true, value: { host: name } });
  });

  test.each([
    ...[
      '',
      ' ',
      'a test',
      ' a.test',
      'a.test ',
      'a.test/',
      'a.test/x',
      'a.test?x',
      'a.test#x',
      'u@a.test',
      'a.test:',
    ],
    ...[
      'a.test:x',
      'a.test:-1',
      'a.test:65536',
      'a.test:123456',
      'a.test:80:80',
      ':80',
      '.',
      'a..test',
      '.a.test',
      'a.test.',
    ],
    ...[
      '-a.test',
      'a-.test',
      'a.test,b.test',
      'a.test, b.test',
      '[::1',
      '::1',
      '[::1]x',
      '[g::1]',
      '[]',
      '[::1]:x',
      '%61.test',
    ],
    ...[
      'bücher.test',
      'a\x00.test',
      'a\\b',
      'http://a.test',
      '*',
      'a.test;x',
      '"a.test"',
      '$x',
      `${'a'.repeat(256)}`,
    ],
  ])('"%s" is refused', (value) => {
    refusedWith('request_malformed', [['Host', value]]);
  });
});

test('100 fields pass, 101 are too many', () => {
  const fields = (count: number): Fields => [
    host,
    ...Array.from({ length: count - 1 }, (_, i) => [`X-${i}`, ''] as const),
  ];
  expect(answer(fields(100))).toBe('accepted');
  expect(answer(fields(101))).toBe('header_too_large');
});

test('two Origins are refused, even if both agree', () => {
  refusedWith('request_malformed', [host, ['Origin', 'https://a.test'], ['origin', 'https://a.test']]);
});
