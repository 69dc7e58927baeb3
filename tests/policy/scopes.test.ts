import { describe, expect, test } from 'vitest';
import { effectiveScopes, holds } from '../../policy/scopes.ts';
import type { Cell } from '../../policy/types.ts';
import { tokenOf, typeOf } from '../support/policy.ts';

describe('what a token may do today', () => {
  test('a type with fixed scopes has exactly those, whatever its record says', () => {
    const type = typeOf({ scopes: { fixed: ['events:write'] } });
    expect(effectiveScopes(tokenOf({ scopes: ['admin'] }), type)).toEqual(['events:write']);
    expect(effectiveScopes(tokenOf({ scopes: [] }), type)).toEqual(['events:write']);
  });

  test('a granted scope that the config no longer offers is gone', () => {
    const type = typeOf({ scopes: { grantable: ['b', 'a'] } });
    expect(effectiveScopes(tokenOf({ scopes: ['a', 'c', 'b'] }), type)).toEqual(['a', 'b']);
  });

  test('an offered scope that was not granted is not held', () => {
    expect(effectiveScopes(tokenOf({ scopes: [] }), typeOf({ scopes: { grantable: ['a'] } }))).toEqual([]);
  });
});

describe('a cell is satisfied', () => {
  const both: Cell = { kind: 'all', scopes: ['a', 'b'] };
  const either: Cell = { kind: 'either', scopes: ['a', 'b'] };
  test.each<[Cell, readonly string[], boolean]>([
    [{ kind: 'any' }, [], true],
    [both, ['a', 'b', 'c'], true],
    [both, ['a'], false],
    [both, [], false],
    [either, ['b'], true],
    [either, ['c'], false],
    [either, [], false],
    [{ kind: 'all', scopes: ['events'] }, ['events:write'], false],
    [{ kind: 'all', scopes: ['events:write'] }, ['events:*'], false],
    [{ kind: 'all', scopes: ['a'] }, ['A'], false],
  ])('%j by %j: %s', (cell, scopes, satisfied) => {
    expect(holds(cell, scopes)).toBe(satisfied);
  });
});
