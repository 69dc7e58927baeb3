/** One cell of the matrix as text: `a`, `a + b`, `a | b`, `any_scope`. Never knows which scopes exist. */
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import type { Cell } from './types.ts';

/** RFC 6749 §3.3 `scope-token`, less `+` and `|`, which are ours here. */
const scopeName = /^[\x21\x23-\x2a\x2c-\x5b\x5d-\x7b\x7d\x7e]{1,100}$/;
const hint = 'write one scope, "a + b" (both), "a | b" (either), or any_scope';

/** Whether a text may name a scope: RFC 6749 characters without `+`, `|` and the word any_scope. */
export function isScopeName(text: string): boolean {
  return scopeName.test(text) && text !== 'any_scope';
}

/**
 * Reads a cell. Spaces around `+` and `|` are optional; the two are never mixed, because nobody
 * agrees on which binds first. A lone scope is "all of one".
 */
export function parseCell(text: string): Parsed<Cell> {
  const trimmed = text.trim();
  if (trimmed === '') return unreadable('the cell is empty', hint);
  if (trimmed === 'any_scope') return parsed({ kind: 'any' });
  const both = trimmed.includes('+');
  const either = trimmed.includes('|');
  if (both && either) {
    return unreadable(`"${trimmed}" mixes + and |`, 'write two rows, or one scope that means both');
  }
  const scopes = trimmed.split(either ? '|' : '+').map((part) => part.trim());
  for (const [index, scope] of scopes.entries()) {
    if (scope === '') return unreadable(`"${trimmed}" lacks a scope beside ${either ? '|' : '+'}`, hint);
    if (scope === 'any_scope') return unreadable('any_scope stands alone', hint);
    if (!isScopeName(scope)) return unreadable(`"${scope}" cannot be a scope`, hint);
    if (scopes.indexOf(scope) !== index) return unreadable(`"${scope}" stands twice in the cell`, hint);
  }
  return parsed({ kind: either ? 'either' : 'all', scopes });
}

/** The cell as an operator would write it. */
export function formatCell(cell: Cell): string {
  switch (cell.kind) {
    case 'any':
      return 'any_scope';
    case 'all':
      return cell.scopes.join(' + ');
    case 'either':
      return cell.scopes.join(' | ');
  }
}
