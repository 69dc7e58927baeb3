/** Looks through tokens for people: newest first, by type, attributes, state and words, a page at a time. */
import type { AttributeValue, TokenRecord } from '../../policy/token-types.ts';
import type { Desk } from './operations.ts';
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

/** `next`: where to go on; there may be none that fit beyond it. `looked`: at how many. */
export type FoundTokens = {
  readonly tokens: readonly TokenRecord[];
  readonly next: string | null;
  readonly looked: number;
};

const chunk = 500;
/** So that a page of a hundred thousand comes at once, whatever is looked for. */
const lookedMax = 4000;

/** @throws StoreFault */
export async function findTokens(desk: Desk, search: TokenSearch): Promise<FoundTokens> {
  const { words, limit } = search;
  if (/^tok_[0-9A-Z]{26}$/.test(words)) {
    const record = await desk.tokens.byId(words);
    return { tokens: record === null ? [] : [record], next: null, looked: 1 };
  }
  const isAny = search.state === null && words === '';
  const fits = fitsIn(search, desk);
  const tokens: TokenRecord[] = [];
  let { after } = search;
  for (let looked = 0; ; ) {
    const page = await pageAfter(desk, search, after, isAny ? limit : chunk);
    for (const record of page.tokens) {
      looked++;
      if (!fits(record)) continue;
      tokens.push(record);
      const isLast = record === page.tokens.at(-1) && page.next === null;
      if (tokens.length === limit) return { tokens, next: isLast ? null : record.id, looked };
    }
    if (page.next === null || looked >= lookedMax) return { tokens, next: page.next, looked };
    after = page.next;
    // Requests at the gate come first.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
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
