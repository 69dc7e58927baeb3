import { describe, expect, test } from 'vitest';
import {
  attributesOfPairs,
  type Checked,
  checkAttributes,
  grantedScopes,
  labelOf,
  lacksNothing,
  originsOf,
  wordComplaint,
} from '../../policy/token-input.ts';
import type { TokenType } from '../../policy/token-types.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';

const { types } = loaded(smallConfig).policy;

function typeOf(name: string): TokenType {
  const type = types.get(name);
  if (type === undefined) throw new Error(`no type ${name}`);
  return type;
}

function told<T>(checked: Checked<T>): T | string {
  return checked.ok ? checked.value : wordComplaint(checked.complaint);
}

describe('the scopes of a new token', () => {
  test('are those of the type where they are fixed', () => {
    expect(told(grantedScopes(typeOf('project'), []))).toEqual(['events:write']);
  });

  test('cannot be chosen where they are fixed, not even the same', () => {
    expect(told(grantedScopes(typeOf('project'), ['events:write']))).toBe(
      'the scopes of type project are fixed; leave them out; it has events:write',
    );
  });

  test('are those chosen where the type grants them, each once', () => {
    expect(told(grantedScopes(typeOf('user'), ['events:read', 'events:read']))).toEqual(['events:read']);
    expect(told(grantedScopes(typeOf('user'), []))).toEqual([]);
  });

  test('are never more than the type grants', () => {
    expect(told(grantedScopes(typeOf('user'), ['events:read', 'admin']))).toBe(
      'no token of type user can hold the scope "admin"; known here: events:read, events:write',
    );
  });
});

describe('attributes', () => {
  test('are read from pairs, lists from several', () => {
    expect(told(attributesOfPairs(typeOf('user'), ['user=a=b', 'projects=p1', 'projects=p2']))).toEqual(
      new Map<string, string | string[]>([
        ['user', 'a=b'],
        ['projects', ['p1', 'p2']],
      ]),
    );
  });

  test.each([
    [['user=1', 'user=2'], 'attribute given twice: "user"; it is one text, not a list'],
    [['=1'], 'not an attribute "=1"; write name=value'],
    [['projects=a,b'], 'an item of projects holds a comma; give each item by itself'],
    [['usr=1'], 'tokens of type user have no attribute "usr"; did you mean "user"?'],
    [['__proto__=1'], 'tokens of type user have no attribute "__proto__"; known here: user, projects'],
  ])('%j are refused', (pairs, words) => {
    expect(told(attributesOfPairs(typeOf('user'), pairs))).toBe(words);
  });

  test.each(['', ' a', 'a ', 'a\nb', 'é', 'x'.repeat(201)])(
    '%j is no value: a header could not carry it as it is',
    (value) => {
      expect(told(checkAttributes(typeOf('project'), new Map([['project', value]])))).toMatch(
        /^attribute project has a value/,
      );
    },
  );

  test.each(['a', 'a b', '~', 'x'.repeat(200)])('%j is a value', (value) => {
    const attributes = new Map([['project', value]]);
    expect(told(checkAttributes(typeOf('project'), attributes))).toBe(attributes);
  });

  test('that are required may not be missing', () => {
    expect(told(lacksNothing(typeOf('project'), new Map()))).toBe(
      'tokens of type project need the attribute project; give project',
    );
  });
});

describe('a label', () => {
  test.each(['a', 'Büro ☎', 'x'.repeat(120)])('%j is one', (label) => {
    expect(told(labelOf(label))).toBe(label);
  });

  test.each(['', 'x'.repeat(121), 'a\nb', '\u001b[31m', 'a\u202eb', '\u2028', '\ud800', 'a\ufffd'])(
    '%j is none: it would not look like what it is',
    (label) => {
      expect(told(labelOf(label))).toMatch(/^not a label/);
    },
  );
});

describe('origins', () => {
  test('come out in their one spelling, once, sorted', () => {
    expect(told(originsOf(['https://B.example', 'https://a.example:443', 'https://a.example']))).toEqual([
      'https://a.example',
      'https://b.example',
    ]);
  });

  test.each([
    'null',
    'a.example',
    'https://*.example',
    '',
    'ftp://a.example/',
    'https://user@a.example/',
    'https://a.example?x',
    'https://a.example\\/',
    'https:///a.example',
    ' https://a.example',
    `https://a.example/${'x'.repeat(2031)}`,
  ])('%j is none', (text) => {
    expect(told(originsOf([text]))).toMatch(/^not an origin/);
  });

  test.each([
    'https://a.example/',
    'HTTPS://A.example:443/app/?x=1#y',
    `https://a.example/${'x'.repeat(2030)}`,
  ])('%j is its origin, as people copy it', (text) => {
    expect(told(originsOf([text]))).toEqual(['https://a.example']);
  });

  test('are at most 20', () => {
    const origins = Array.from({ length: 21 }, (_, i) => `https://h${i}.example`);
    expect(told(originsOf(origins))).toBe('21 origins are too many; give at most 20');
    expect(told(originsOf(origins.slice(1)))).toHaveLength(20);
  });
});
