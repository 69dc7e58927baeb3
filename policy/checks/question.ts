/** What every check is asked, and the shape of its answer. */
import type { Denial, Match, RequestFacts, TokenRecord, TokenType } from '../types.ts';

export type Question = {
  readonly match: Match;
  readonly facts: RequestFacts;
  readonly token: TokenRecord;
  readonly type: TokenType;
  /** Effective scopes. */
  readonly scopes: readonly string[];
  /** Unix ms. */
  readonly now: number;
};

/** null: nothing against it. */
export type Check = (question: Question) => Denial | null;
