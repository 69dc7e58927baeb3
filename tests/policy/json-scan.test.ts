import { describe, expect, test } from 'vitest';
import { compileQuery, parsePointer } from '../../policy/json-pointer.ts';
import { scanJson, valueBytesMax } from '../../policy/json-scan.ts';

const encoder = new TextEncoder();

function scan(body: string | readonly number[], ...pointers: string[]) {
  const bytes = typeof body === 'string' ? encoder.encode(body) : Uint8Array.from(body);
  return scanJson(bytes, compileQuery(pointers));
}

/** What stands at the one pointer; null: nothing. @throws where the body is refused. */
function found(body: string, pointer: string) {
  const result = scan(body, pointer);
  if (!result.ok) throw new Error(result.reason);
  return result.found.get(pointer) ?? null;
}

function refusal(body: string | readonly number[], ...pointers: string[]): string {
  const result = scan(body, ...pointers);
  return result.ok ? 'taken' : result.reason;
}

describe('a pointer', () => {
  test.each([
    ['{"app_id":"com.acme"}', '/app_id', { kind: 'string', value: 'com.acme' }],
    ['{"app\\u005fid":"com\\u002eacme"}', '/app_id', { kind: 'string', value: 'com.acme' }],
    ['{"a":{"app_id":"inner"}}', '/app_id', null],
    ['{"a":{"b":"deep"}}', '/a/b', { kind: 'string', value: 'deep' }],
    ['{"a":[{"b":"first"},{"b":"second"}]}', '/a/1/b', { kind: 'string', value: 'second' }],
    ['{"a":{"1":{"b":"key"}}}', '/a/1/b', { kind: 'string', value: 'key' }],
    ['{"a/b":"slash","a~b":"tilde"}', '/a~1b', { kind: 'string', value: 'slash' }],
    ['{"a/b":"slash","a~b":"tilde"}', '/a~0b', { kind: 'string', value: 'tilde' }],
    ['{"":"empty"}', '/', { kind: 'string', value: 'empty' }],
    ['{"events":[1,[2,3],{"a":[4]}]}', '/events', { kind: 'array', items: 3 }],
    ['{"events":[ ]}', '/events', { kind: 'array', items: 0 }],
    ['[1,2]', '', { kind: 'array', items: 2 }],
    ['{"app_id":null}', '/app_id', { kind: 'null' }],
    ['{"app_id":7}', '/app_id', { kind: 'number' }],
    ['{"app_id":{}}', '/app_id', { kind: 'object' }],
    ['{"a":"x"}', '/a/b', null],
    ['{"a":[]}', '/a/-', null],
  ])('in %s, %s leads to what stands there', (body, pointer, expected) => {
    expect(found(body, pointer)).toEqual(expected);
  });

  test.each(['a', '/a~', '/a~2', '#/a', `${'/a'.repeat(17)}`])('%s is none', (text) => {
    expect(parsePointer(text).ok).toBe(false);
  });
});

describe('a key on the way to an asked value', () => {
  test.each([
    ['{"app_id":"good","app_id":"evil"}', 'twice'],
    ['{"app_id":"good","app\\u005fid":"evil"}', 'twice, escaped once'],
    ['{"app_id":"good","App_ID":"evil"}', 'twice, in another case'],
    ['{"App_ID":"evil"}', 'in another case alone'],
    ['{"app_\\u0049d":"evil"}', 'in another case, escaped'],
    ['{"app_id":"good","app_id\\u0000":"evil"}', 'with a NUL behind it'],
    ['{"app_id":"good","app_id\\ud800":"evil"}', 'with a lone surrogate behind it'],
    ['{"app_id":"good\\udc00"}', 'whose value holds a lone surrogate'],
    ['{"app_id":"good\\u0000evil"}', 'whose value holds a NUL'],
  ])('%s is refused: %s', (body) => {
    expect(refusal(body, '/app_id')).toMatch(/stands twice|stands in another case|lone surrogate or NUL/);
  });

  test('matters on every level of the way, and nowhere else', () => {
    expect(refusal('{"a":{"b":1},"a":{"b":1}}', '/a/b')).toMatch(/twice/);
    expect(refusal('{"a":{"b":1,"b":2}}', '/a/b')).toMatch(/twice/);
    expect(refusal('{"a":{"b":1},"c":{"b":1,"b":2},"d":1,"d":2,"e":"\\ud800"}', '/a/b')).toBe('taken');
    expect(refusal('{"a":1,"a":2}')).toBe('taken');
  });
});

const levels = (count: number) => '['.repeat(count) + ']'.repeat(count);

describe('a body', () => {
  test.each([
    ...[
      '',
      ' ',
      '{',
      '[',
      '"',
      '"a',
      '[1',
      '[1,',
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,',
      'tru',
      '-',
      '1e',
      '1.',
    ],
    ...['[1,]', '[,1]', '[1 2]', '{"a":1,}', '{,}', '{"a",1}', '{a:1}', "{'a':1}", '{1:1}', '{"a":1 "b":2}'],
    ...[
      '01',
      '-01',
      '+1',
      '.5',
      '1.e3',
      '1e+',
      '0x1',
      'NaN',
      'Infinity',
      '-Infinity',
      'True',
      'nulll',
      'undefined',
    ],
    ...[
      '"\\x41"',
      '"\\u12"',
      '"\\u12g4"',
      '"\\',
      '"a\nb"',
      '"a\tb"',
      '"\u0000"',
      '[]]',
      '{}{}',
      '1 2',
      '[] x',
    ],
    ...['// c\n1', '/* c */1', '\u00a01', '\u20281', '\ufeff{}', '{"a":1}\u0000', '\f1', '\v1', levels(65)],
  ])('%j is refused', (body) => {
    expect(refusal(body)).not.toBe('taken');
  });

  test.each([
    ['a lone tail', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong slash of three', [0xe0, 0x80, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['more than U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a sequence of five', [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ['half a sequence', [0xe2, 0x82]],
    ['a quote inside a sequence', [0xc3, 0x22]],
  ])('with %s is refused', (_what, inner) => {
    expect(refusal([0x22, ...inner, 0x22])).toBe('bad UTF-8');
  });

  test.each([
    '0',
    '-0',
    '1e5',
    '-1.25E-3',
    'true',
    'null',
    '""',
    '[]',
    ' {} ',
    '\r\n[\t]\n',
    '"😀\\ud83d\\ude00"',
    levels(64),
  ])('%j is taken', (body) => {
    expect(refusal(body)).toBe('taken');
  });

  test('of 100,000 levels is refused, and overflows nothing', () => {
    expect(refusal('['.repeat(100_000))).toBe('deeper than 64 levels');
    expect(refusal('{"a":'.repeat(100_000))).toBe('deeper than 64 levels');
  });

  test('of one huge value is read past it: nobody asks what so long a value is', () => {
    const at = (length: number) => found(JSON.stringify({ a: 'x'.repeat(length) }), '/a');
    expect(at(valueBytesMax)).toEqual({ kind: 'string', value: 'x'.repeat(valueBytesMax) });
    expect(at(valueBytesMax + 1)).toEqual({ kind: 'string', value: null });
  });

  test('is told where it goes wrong, and not what it holds', () => {
    expect(scan('{"secret":"a"} x')).toEqual({ ok: false, reason: 'more after the value', at: 15 });
  });
});
