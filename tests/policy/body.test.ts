import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkEncoding } from '../../policy/body.ts';
import { cpuMs } from '../support/busy.ts';
import { fuzz } from '../support/fuzz.ts';

const takes = (...types: string[]) => checkEncoding(types, []).ok;

describe('a Content-Type', () => {
  test.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json;charset=utf-8',
    'application/json ; charset="UTF-8" ; v=1',
    'application/problem+json',
    'application/vnd.acme.v2+json;profile="a b"',
  ])('%s is JSON', (type) => {
    expect(takes(type)).toBe(true);
  });

  test.each([
    ...[
      '',
      'json',
      'text/json',
      'text/plain',
      'application/jsonx',
      'application/x-json',
      'application/json5',
    ],
    ...['application/+jsonx', '+json', 'application/json, text/plain', 'application/x-www-form-urlencoded'],
    ...['application/json; charset', 'application/json; charset=', 'application/json; =utf-8'],
    ...[
      'application/json; charset=utf-16',
      'application/json; charset="utf-7"',
      'application/json;charset=latin1',
    ],
    ...[
      'application/json; charset=utf-8; charset=utf-16',
      'application/json; a="b',
      'application/json; a="\\""',
    ],
  ])('%j is not', (type) => {
    expect(takes(type)).toBe(false);
  });

  test('stands once', () => {
    expect(takes()).toBe(false);
    expect(takes('application/json', 'application/json')).toBe(false);
  });

  test('that is taken names JSON, and no charset but UTF-8, whatever is around it', () => {
    const piece = fc.constantFrom(
      'application/json',
      '+json',
      ';',
      ' ',
      'charset=',
      'utf-8',
      'utf-16',
      '"',
      'a=b',
      '/',
      'x',
      ',',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const type = pieces.join('');
        if (!takes(type)) return;
        expect(type).toMatch(/^ *(?:application\/json|[^/ ;,"]+\/[^/ ;,"]+\+json) *(?:;|$)/);
        for (const [, charset] of type.matchAll(/;\s*charset=("?[^;]*)/g))
          expect(charset?.trim()).toMatch(/^"?utf-8"?$/);
      }),
      fuzz(3000),
    );
  });

  test('of 16 KiB of spaces, quotes or suffixes is judged in no time', () => {
    const took = cpuMs();
    for (const part of [' ', '"', ';', 'a="', '+json', 'a=b;']) {
      takes(`application/json;${part.repeat(16_384 / part.length)}\u0001`);
      takes(`a/${part.repeat(16_384 / part.length)}\u0001`);
    }
    expect(took()).toBeLessThan(500);
  });
});

test('any coding is one too many', () => {
  for (const coding of ['gzip', 'identity', ''])
    expect(checkEncoding(['application/json'], [coding]).ok).toBe(false);
});
