import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatCell, isScopeName, parseCell } from '../../policy/cells.ts';
import type { Cell } from '../../policy/types.ts';

describe('a cell of the matrix', () => {
  test.each<[string, Cell]>([
    ['events:write', { kind: 'all', scopes: ['events:write'] }],
    ['a + b', { kind: 'all', scopes: ['a', 'b'] }],
    ['a+b+c', { kind: 'all', scopes: ['a', 'b', 'c'] }],
    ['a | b', { kind: 'either', scopes: ['a', 'b'] }],
    ['  a|b ', { kind: 'either', scopes: ['a', 'b'] }],
    ['any_scope', { kind: 'any' }],
  ])('"%s" is read', (text, cell) => {
    expect(parseCell(text)).toEqual({ ok: true, value: cell });
  });

  test.each([
    ['', 'the cell is empty'],
    ['   ', 'the cell is empty'],
    ['a + b | c', '"a + b | c" mixes + and |'],
    ['a +', '"a +" lacks a scope beside +'],
    ['| a', '"| a" lacks a scope beside |'],
    ['a || b', '"a || b" lacks a scope beside |'],
    ['a b', '"a b" cannot be a scope'],
    ['a + any_scope', 'any_scope stands alone'],
    ['a | a', '"a" stands twice in the cell'],
    ['a"b', '"a"b" cannot be a scope'],
    ['a\\b', '"a\\b" cannot be a scope'],
    ['é', '"é" cannot be a scope'],
  ])('"%s" is refused: %s', (text, message) => {
    expect(parseCell(text)).toMatchObject({ ok: false, message });
  });

  test('what is formatted reads back as the same cell', () => {
    const scope = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 12 }).filter(isScopeName);
    const scopes = fc.uniqueArray(scope, { minLength: 1, maxLength: 5 });
    const cell = fc.oneof(
      fc.constant<Cell>({ kind: 'any' }),
      scopes.map((names): Cell => ({ kind: 'all', scopes: names })),
      scopes.filter((names) => names.length > 1).map((names): Cell => ({ kind: 'either', scopes: names })),
    );
    fc.assert(
      fc.property(cell, (original) => {
        expect(parseCell(formatCell(original))).toEqual({ ok: true, value: original });
      }),
    );
  });

  test('no text makes the reader throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseCell(text);
      }),
    );
  });
});
