/** Which buckets a request spends from, and what their answers mean. */
import { addressKey } from './address.ts';
import { denied } from './denial.ts';
import { LimiterUncounted } from './fault.ts';
import type { AttributeValue, TokenRecord } from './token-types.ts';
import type { Charge, Limit, LimitPart, LimitState, Outcome, RequestFacts, Route } from './types.ts';

const none: readonly Charge[] = [];

/** One charge per limit of the row. A limit's name is its bucket: rows that name it share it. */
export function chargesFor(route: Route, token: TokenRecord | null, facts: RequestFacts): readonly Charge[] {
  if (route.limits.length === 0) return none;
  return route.limits.map((limit) => ({ limit, key: bucketKey(limit, route, token, facts), cost: 1 }));
}

/** Parts are escaped, so no value can spell another bucket's key. */
function bucketKey(limit: Limit, route: Route, token: TokenRecord | null, facts: RequestFacts): string {
  let key = escaped(limit.name);
  for (const part of limit.per) key += `|${partText(part, route, token, facts)}`;
  return key;
}

function partText(part: LimitPart, route: Route, token: TokenRecord | null, facts: RequestFacts): string {
  switch (part.kind) {
    case 'token':
      return escaped(token?.id ?? '');
    case 'address':
      return escaped(addressKey(facts.address));
    case 'route':
      return escaped(route.id);
    case 'api':
      return escaped(route.api);
    case 'attribute':
      return attributeText(token?.attributes.get(part.name));
  }
}

/** A list counts as the set it is; a value that holds a comma is still one value. */
function attributeText(value: AttributeValue | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? escaped(value) : [...value].sort().map(escaped).join(',');
}

function escaped(value: string): string {
  return /[%|,]/.test(value) ? value.replace(/[%|,]/g, (c) => `%${c.charCodeAt(0).toString(16)}`) : value;
}

/**
 * Turns the counters' answers into go, `rate_limited`, or `cost_too_large` where waiting cannot help. A limit known to be spent refuses even
 * beside one that could not be counted: the answer would be no either way, and that one is certain.
 *
 * @throws LimiterUncounted where none is spent, one could not be counted, and its `on_redis_down`
 *   does not let that pass.
 */
export function judge(states: readonly LimitState[]): Outcome<readonly LimitState[]> {
  let retryAfterMs = 0;
  let refusedBy: string | null = null;
  let uncounted: string | null = null;
  let never: string | null = null;
  for (const state of states) {
    if (!state.counted) {
      if (state.limit.onRedisDown !== 'open') uncounted ??= state.limit.name;
      continue;
    }
    if (state.allowed) continue;
    if (state.retryAfterMs < 0) never ??= state.limit.name;
    refusedBy ??= state.limit.name;
    retryAfterMs = Math.max(retryAfterMs, state.retryAfterMs);
  }
  if (never !== null) return denied('cost_too_large', `limit ${never} never has room for as much`);
  if (refusedBy !== null) return denied('rate_limited', `limit ${refusedBy} is spent`, { retryAfterMs });
  if (uncounted !== null) throw new LimiterUncounted(uncounted);
  return { ok: true, value: states };
}

/** The counted state a client should heed: the fewest left, then the smallest quota; null: none. */
export function tightest(states: readonly LimitState[]): LimitState | null {
  let found: LimitState | null = null;
  for (const state of states) {
    if (!state.counted) continue;
    if (found === null || tighter(state, found)) found = state;
  }
  return found;
}

function tighter(a: LimitState, b: LimitState): boolean {
  if (a.allowed !== b.allowed) return !a.allowed;
  return a.remaining < b.remaining || (a.remaining === b.remaining && a.limit.quota < b.limit.quota);
}
