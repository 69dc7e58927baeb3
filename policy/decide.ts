/**
 * The decision: who may use a row, what is owed before it is a yes, and the yes itself. Proxy, `explain`,
 * fixtures and `check` all call these functions and no others.
 */

import type { Annotations, Unverified } from './annotation-types.ts';
import type { PinEvidence, Reading } from './body-types.ts';
import { pinsOwed } from './bundle-pin.ts';
import { checkAddressPin } from './checks/address-pin.ts';
import { checkBind } from './checks/bind.ts';
import { checkCsrf } from './checks/csrf.ts';
import { checkOriginList } from './checks/origin-list.ts';
import { checkOriginPin } from './checks/origin-pin.ts';
import type { Question } from './checks/question.ts';
import { checkScopes } from './checks/scope.ts';
import { checkSocketOrigin } from './checks/socket-origin.ts';
import { checkState } from './checks/state.ts';
import { checkType } from './checks/type.ts';
import { checkUnverified } from './checks/unverified.ts';
import { denied } from './denial.ts';
import { chargesFor } from './limits.ts';
import { assertOnlyWatched, codesOf, isWatched, isWatching } from './monitor.ts';
import { observingOf } from './observe.ts';
import { effectiveScopes } from './scopes.ts';
import type { Presentation, TokenRecord } from './token-types.ts';
import type {
  Charge,
  Claim,
  Denial,
  LimitState,
  Match,
  Outcome,
  Permit,
  Policy,
  RequestFacts,
  Route,
} from './types.ts';

const noPins: readonly PinEvidence[] = [];

/** Hears each step's name, whether it passed, and why; for `explain`. */
export type Trace = (step: string, ok: boolean, detail: string) => void;

type Step<Asked> = {
  readonly name: string;
  readonly check: (asked: Asked) => Denial | null;
  /** Until when it only watches on this row; a step without can never be watched. */
  readonly monitorUntil?: (route: Route) => number | undefined;
  /** On which rows there is anything to check; without, on all. */
  readonly only?: (route: Route) => boolean;
};

const socketOrigin: Step<Pick<Question, 'match' | 'facts'>> = {
  name: 'socket origin',
  check: checkSocketOrigin,
  only: ({ websocket }) => websocket,
};

/** A list of the row's own. */
const rowOrigin: Step<Pick<Question, 'match' | 'facts'>> = {
  name: 'row origin',
  check: checkOriginList,
  monitorUntil: ({ originList }) => originList?.monitorUntil,
  only: ({ originList }) => originList !== undefined,
};

const address: Step<Pick<Question, 'match' | 'facts'>> = {
  name: 'address',
  check: checkAddressPin,
  monitorUntil: ({ addressPin }) => addressPin?.monitorUntil,
};

/** In the order that is promised: what a caller learns first must not depend on luck. */
const steps: readonly Step<Question>[] = [
  { name: 'state', check: checkState },
  { name: 'type', check: checkType },
  { name: 'scopes', check: checkScopes, monitorUntil: ({ scopesMonitorUntil }) => scopesMonitorUntil },
  { name: 'csrf', check: checkCsrf },
  { name: 'bind', check: checkBind },
  { name: 'origin', check: checkOriginPin, monitorUntil: ({ originPin }) => originPin?.monitorUntil },
  rowOrigin,
  socketOrigin,
  address,
];

/** Public rows know no token: only the caller itself is judged. */
const publicSteps = [rowOrigin, socketOrigin, address];

type UnverifiedQuestion = Pick<Question, 'match' | 'facts'> & { readonly unverified: Unverified };

/** Nothing is known of the token, so the row must not ask anything of it. */
const unverifiedSteps: readonly Step<UnverifiedQuestion>[] = [
  { name: 'type', check: ({ match, unverified }) => checkUnverified(match.route, unverified.type) },
  rowOrigin,
  socketOrigin,
  address,
];

/** Of what nobody says how it was presented, the worst is taken to be true. */
const unsaid: Presentation = { source: { kind: 'cookie', name: '' }, csrf: [] };

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
  presented: Presentation = unsaid,
): Outcome<Claim> {
  const { route } = match;
  if (route.access === 'public') {
    trace?.('access', true, 'the row is public');
    const passed = walkSteps(publicSteps, { match, facts }, now, trace);
    return passed.ok ? claimed(match, facts, null, [], passed.value, now) : passed;
  }
  if (presented.unverified !== undefined) {
    return decideUnverified(policy, match, facts, token, now, trace, presented);
  }
  const type = token === null ? undefined : policy.types.get(token.type);
  // A record of a type that is not verified here any more stands for nothing either.
  if (token === null || type === undefined || type.verify !== undefined) {
    trace?.('token', false, 'no record stands for what was presented');
    return denied('token_unknown', 'no record stands for what was presented');
  }
  const scopes = effectiveScopes(token, type);
  const passed = walkSteps(steps, { match, facts, token, type, scopes, presented, now }, now, trace);
  return passed.ok ? claimed(match, facts, token, scopes, passed.value, now) : passed;
}

/** Of a credential that only the upstream can verify: whether the row hands such ones on. */
function decideUnverified(
  policy: Policy,
  match: Match,
  facts: RequestFacts,
  token: TokenRecord | null,
  now: number,
  trace: Trace | undefined,
  { unverified: type = '', source }: Presentation,
): Outcome<Claim> {
  if (token !== null || policy.types.get(type)?.verify !== 'upstream') {
    trace?.('token', false, 'its type is not left to the upstream');
    return denied('token_unknown', 'its type is not left to the upstream');
  }
  trace?.('token', true, `not verified here: tokens of type ${type} are for the upstream to verify`);
  const unverified = { type, source };
  const passed = walkSteps(unverifiedSteps, { match, facts, unverified }, now, trace);
  return passed.ok ? claimed(match, facts, null, [], passed.value, now, unverified) : passed;
}

const noRefusals: readonly Denial[] = [];

/** The first no ends it, unless it is only watched: then it is kept, and the next step is taken. */
function walkSteps<Asked extends { readonly match: Match }>(
  all: readonly Step<Asked>[],
  asked: Asked,
  now: number,
  trace?: Trace,
): Outcome<readonly Denial[]> {
  let watched = noRefusals;
  for (const { name, check, monitorUntil, only } of all) {
    if (only?.(asked.match.route) === false) continue;
    const denial = check(asked);
    if (denial === null) {
      trace?.(name, true, 'passed');
    } else if (isWatching(monitorUntil?.(asked.match.route), now)) {
      trace?.(name, true, `would refuse: ${denial.reason}`);
      watched = [...watched, denial];
    } else {
      trace?.(name, false, denial.reason);
      return {
        ok: false,
        denial: watched.length === 0 ? denial : { ...denial, monitored: codesOf(watched) },
      };
    }
  }
  return { ok: true, value: watched };
}

function claimed(
  match: Match,
  facts: RequestFacts,
  token: TokenRecord | null,
  scopes: readonly string[],
  refusals: readonly Denial[],
  now: number,
  unverified?: Unverified,
): Outcome<Claim> {
  const { route } = match;
  const all = chargesFor(route, token, facts);
  const isApart = ({ limit }: Charge) => isWatched(limit, now);
  const hasApart = refusals.length > 0 || all.some(isApart);
  const charges = hasApart ? all.filter((charge) => !isApart(charge)) : all;
  const known = {
    match,
    facts,
    token,
    scopes,
    charges,
    isPriced: all.every(({ limit }) => limit.costAt === undefined),
    body: route.body,
    pins: pinsOwed(route, token),
  };
  const claim = unverified === undefined ? known : { ...known, unverified };
  if (!hasApart) return { ok: true, value: claim };
  return { ok: true, value: { ...claim, watched: { refusals, charges: all.filter(isApart), now } } };
}

/**
 * Makes the yes from a judged claim. Nothing else makes a `Permit`.
 *
 * @param states one per charge of the claim; what is watched is none of them.
 * @param reading of the body, where the claim owes one. @param pins the evidence of each pin, in order.
 * @param annotations what right signed tokens say; they say it, and decide nothing.
 * @throws Error where nobody is known and the row is not public, unless it hands on what the upstream verifies; and
 *   where the evidence is not whole: a charge without an answer, or one that was refused; a body that was not read, a
 *   cost that was not; a pin that was not asked; a refusal passed over whose check is in force. Only a mistake of ours
 *   comes this far, and it must not end in a yes.
 */
export function admit(
  claim: Claim,
  states: readonly LimitState[],
  reading: Reading | null = null,
  pins: readonly PinEvidence[] = noPins,
  annotations?: Annotations,
): Permit {
  const { match, facts, token, scopes, charges, watched, unverified } = claim;
  if (token === null) assertNobodyNeeded(claim);
  else if (unverified !== undefined) throw new Error('a token that is verified and is not');
  if (claim.body !== null && reading?.rule !== claim.body) throw new Error('the body was not read');
  if (!claim.isPriced) throw new Error('a cost was not read');
  if (pins.length !== claim.pins.length || pins.some(({ owed }, index) => owed !== claim.pins[index])) {
    throw new Error('a pin was not asked');
  }
  if (states.length !== charges.length) throw new Error('a limit was not asked');
  if (states.some(({ counted, allowed }) => counted && !allowed)) throw new Error('a limit said no');
  if (watched !== undefined) assertOnlyWatched(watched);
  const observing = observingOf(match);
  const permit = { route: match.route, facts, token, scopes, states, observing };
  const isPlain = unverified === undefined && annotations === undefined && pins.length === 0;
  if (isPlain) return permit as unknown as Permit;
  const more = {
    ...(unverified && { unverified }),
    ...(annotations && { annotations }),
    ...(pins.length > 0 && { pins }),
  };
  return { ...permit, ...more } as unknown as Permit;
}

/** Without a record the row is public, or names the type whose tokens it hands on. */
function assertNobodyNeeded({ match: { route }, unverified }: Claim): void {
  if (unverified === undefined) {
    if (route.access !== 'public') throw new Error('nobody, on a row that is not public');
  } else if (route.access === 'public' || checkUnverified(route, unverified.type) !== null) {
    throw new Error('a token nobody verified, on a row that does not hand it on');
  }
}
