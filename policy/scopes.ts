/** What a token may do today. */
import type { TokenRecord, TokenType } from './token-types.ts';
import type { Cell } from './types.ts';

/**
 * The scopes a token holds under this config: a type with fixed scopes always has exactly those;
 * otherwise what was granted, less what the config no longer offers.
 */
export function effectiveScopes(token: TokenRecord, type: TokenType): readonly string[] {
  if ('fixed' in type.scopes) return type.scopes.fixed;
  const { grantable } = type.scopes;
  return token.scopes.filter((scope) => grantable.includes(scope));
}

/** Whether these scopes satisfy a cell. */
export function holds(cell: Cell, scopes: readonly string[]): boolean {
  switch (cell.kind) {
    case 'any':
      return true;
    case 'all':
      return cell.scopes.every((scope) => scopes.includes(scope));
    case 'either':
      return cell.scopes.some((scope) => scopes.includes(scope));
  }
}
