/**
 * The decision: who may use a row, what must be counted, and the yes itself. Proxy, `explain`,
 * fixtures and `check` all call these three functions and no others.
 */
import { checkBind } from './checks/bind.ts';
import { checkOriginPin } from './checks/origin-pin.ts';
import type { Check, Question } from './checks/question.ts';
import { checkScopes } from './checks/scope.ts';
import { checkState } from './checks/state.ts';
import { checkType } from './checks/type.ts';
import { denied } from './denial.ts';
import { chargesFor } from './limits.ts';
import { effectiveScopes } from './scopes.ts';
import type {
  Claim,
  LimitState,
  Match,
  Outcome,
  Permit,
  Policy,
  RequestFacts,
  TokenRecord,
} from './types.ts';

/** Hears each step's name, whether it passed, and why; for `explain`. */
export type Trace = (step: string, ok: boolean, detail: string) => void;

/** In the order that is promised: what a caller learns first must not depend on luck. */
const checks: readonly (readonly [string, Check])[] = [
  ['state', checkState],
  ['type', checkType],
  ['scopes', checkScopes],
  ['bind', checkBind],
  ['origin', checkOriginPin],
];

/**
 * Judges a token against a row.
 *
 * @param token null on a public row, or where no record stands for what was presented.
 * @param now Unix ms.
 */
export function decide(
  policy: Policy,
  match: Match,
  facts: RequestFacts,
  token: TokenRecord | null,
  now: number,
  trace?: Trace,
): Outcome<Claim> {
  const { route } = match;
  if (route.access === 'public') {
    trace?.('access', true, 'the row is public');
    return {
      ok: true,
      value: { match, facts, token: null, scopes: [], charges: chargesFor(route, null, facts) },
    };
  }
  const type = token === null ? undefined : policy.types.get(token.type);
  if (token === null || type === undefined) {
    trace?.('token', false, 'no record stands for what was presented');
    return denied('token_unknown', 'no record stands for what was presented');
  }
  const scopes = effectiveScopes(token, type);
  const question: Question = { match, facts, token, type, scopes, now };
  for (const [step, check] of checks) {
    const denial = check(question);
    trace?.(step, denial === null, denial?.reason ?? 'passed');
    if (denial !== null) return { ok: false, denial };
  }
  return { ok: true, value: { match, facts, token, scopes, charges: chargesFor(route, token, facts) } };
}

/**
 * Makes the yes from a judged claim. Nothing else makes a `Permit`.
 *
 * @throws Error where the evidence is not whole: a charge without an answer, or one that was refused. Only a
 *   mistake of ours comes this far, and it must not end in a yes.
 */
export function admit(claim: Claim, states: readonly LimitState[]): Permit {
  const { match, facts, token, scopes, charges } = claim;
  if (states.length !== charges.length) throw new Error('a limit was not asked');
  if (states.some(({ counted, allowed }) => counted && !allowed)) throw new Error('a limit said no');
  return { route: match.route, facts, token, scopes, states } as unknown as Permit;
}
