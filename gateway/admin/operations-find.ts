/** Looks through tokens for people: newest first, by type, attributes, state and words, a page at a time. */
import { tokenCursor } from '../../policy/cursors.ts';
import type { Checked } from '../../policy/token-input.ts';
import type { AttributeValue, TokenRecord } from '../../policy/token-types.ts';
import { goesOn } from './cursors.ts';
import type { Desk } from './operations.ts';
import { type Found, lookThrough } from './search.ts';
import { stateOf, type TokenState } from './token-view.ts';

export type TokenSearch = {
  /** null: any. */
  readonly type: string | null;
  /** Tokens that have all of these; empty: any. */
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly state: TokenState | null;
  /** In the label, or the whole id; '': any. */
  readonly words: string;
  readonly limit: number;
  readonly after: string | null;
};

export type FoundTokens = Omit<Found<TokenRecord>, 'items'> & { readonly tokens: readonly TokenRecord[] };

/** @throws StoreFault */
export async function findTokens(desk: Desk, search: TokenSearch): Promise<Checked<FoundTokens>> {
  const { words, limit } = search;
  const from = goesOn(search.after, tokenCursor);
  if (!from.ok) return from;
  if (/^tok_[0-9A-Z]{26}$/.test(words)) {
    const record = await desk.tokens.byId(words);
    const tokens = record === null ? [] : [record];
    return { ok: true, value: { tokens, next: null, looked: 1 } };
  }
  const { items, ...found } = await lookThrough({
    page: async (after, count) => {
      const listed = await pageAfter(desk, search, after, count);
      return { items: listed.tokens, next: listed.next };
    },
    fits: search.state === null && words === '' ? null : fitsIn(search, desk),
    ...{ limit, after: search.after },
  });
  return { ok: true, value: { tokens: items, ...found } };
}

function pageAfter({ tokens }: Desk, search: TokenSearch, after: string | null, limit: number) {
  return tokens.list({
    limit,
    newestFirst: true,
    ...(search.type === null ? {} : { type: search.type }),
    ...(search.attributes.size === 0 ? {} : { attributes: search.attributes }),
    ...(after === null ? {} : { after }),
  });
}

function fitsIn({ state, words }: TokenSearch, { policy, now }: Desk): (record: TokenRecord) => boolean {
  const at = now();
  const lower = words.toLowerCase();
  return (record) =>
    (state === null || stateOf(record, policy.types.get(record.type), at) === state) &&
    (lower === '' || record.label.toLowerCase().includes(lower));
}
