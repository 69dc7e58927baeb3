/** What every check is asked, and the shape of its answer. */
import type { Presentation, TokenRecord, TokenType } from '../token-types.ts';
import type { Match, RequestFacts } from '../types.ts';

export type Question = {
  readonly match: Match;
  readonly facts: RequestFacts;
  readonly token: TokenRecord;
  readonly type: TokenType;
  /** Effective scopes. */
  readonly scopes: readonly string[];
  readonly presented: Presentation;
  /** Unix ms. */
  readonly now: number;
};
