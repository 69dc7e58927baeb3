/**
 * The walk: a request's whole way to a ruling, top to bottom. Proxy, `explain` and fixtures take
 * it alike; only the rooms behind it differ. Each line needs what the line above made.
 */
import { addressKey } from '../policy/address.ts';
import { itemised, priced } from '../policy/body.ts';
import type { BodyRule } from '../policy/body-types.ts';
import { isOnGuard } from '../policy/canary.ts';
import type { Preflight } from '../policy/cors.ts';
import { judgePreflight } from '../policy/cors.ts';
import { admit, decide, type Trace } from '../policy/decide.ts';
import { denial } from '../policy/denial.ts';
import type { JsonCut } from '../policy/json-scan.ts';
import { judge } from '../policy/limits.ts';
import { codesOf } from '../policy/monitor.ts';
import { type OwnEndpoint, ownEndpoint } from '../policy/own-paths.ts';
import { chooseRow, rowSet } from '../policy/rows.ts';
import { servingOf } from '../policy/serve.ts';
import type { ServeRule, Serving } from '../policy/serve-types.ts';
import type { Presentation, Source, TokenRecord } from '../policy/token-types.ts';
import type {
  Charge,
  Denial,
  DenialCode,
  LimitState,
  Match,
  Outcome,
  Permit,
  Policy,
  RequestFacts,
  Route,
  RowSet,
  Watched,
} from '../policy/types.ts';
import type { PinStore } from '../store/pin-store.ts';
import { type Cut, cutFor, type Presented, readCredential, sourceName } from './credential.ts';
import { fieldValues, type Head } from './head.ts';
import { readAnnotations, type TriggerKeys } from './trigger.ts';
import { type AskedPins, askPins, cutsOf, type TakenBody, takeBody } from './walk-body.ts';

/** The rooms a walk asks. `explain` brings its own. */
export type Rooms = {
  readonly policy: Policy;
  readonly tokens: {
    find(plaintext: string, types: Presented['types']): TokenRecord | null | Promise<TokenRecord | null>;
    verifiedBefore(plaintext: string): boolean;
  };
  readonly limiter: {
    consume(charges: readonly Charge[]): readonly LimitState[] | Promise<readonly LimitState[]>;
  };
  readonly failures: {
    /** ms until a try is free again; null: go on. */
    exhausted(address: string, prefix: string): number | null;
    spend(address: string, prefix: string): void;
  } | null;
  /** All bytes of the body, for rows that read theirs. @throws BodiesFull; CallerLeft */
  readonly body: (route: Route, rule: BodyRule) => Promise<Outcome<Uint8Array>>;
  readonly pins: Pick<PinStore, 'read' | 'pinFirst'>;
  /** Of signed tokens. */
  readonly triggerKeys: TriggerKeys;
  /** Unix ms. */
  readonly now: () => number;
};

/** Where a walk ends. */
export type Ruling =
  | {
      readonly kind: 'forward';
      readonly permit: Permit;
      readonly cut: Cut;
      readonly body: Uint8Array | null;
      /** What of the body must not go on; empty: all of it may. */
      readonly bodyCuts: readonly JsonCut[];
    }
  | { readonly kind: 'serve'; readonly permit: Permit; readonly serving: Serving }
  | { readonly kind: 'preflight'; readonly preflight: Preflight }
  | { readonly kind: 'own'; readonly endpoint: OwnEndpoint }
  | {
      readonly kind: 'refuse';
      readonly denial: Denial;
      readonly route: Route | null;
      readonly states: readonly LimitState[];
      /** Of the path, where none of them was chosen; else empty. */
      readonly rows: RowSet;
    };

/** How far a walk has come. Kept outside it, so that the answer to a fault knows row and token too. */
export type Footing = {
  route: Route | null;
  token: TokenRecord | null;
  /** The type of a credential that only the upstream can verify; absent: none was presented. */
  unverified?: string;
  /** What was passed over because it only watches; absent: nothing was. */
  monitored?: readonly DenialCode[];
  /** What was presented is a canary: nobody asks, and that is to be told. Absent: it is none. */
  canary?: TokenRecord;
  /** The id sent for the row's bundle pins; null: none; absent: nobody looked. */
  bundle?: string | null;
};

const noStates: readonly LimitState[] = [];
const noRows: RowSet = [];

/** @throws StoreFault, LimiterUncounted, BodiesFull: we cannot tell; CallerLeft: nobody listens. The caller of the walk answers 503. */
export async function walk(
  head: Head,
  facts: RequestFacts,
  rooms: Rooms,
  trace?: Trace,
  footing: Footing = { route: null, token: null },
): Promise<Ruling> {
  const own = ownEndpoint(rooms.policy, facts);
  if (own !== null) {
    trace?.('own path', own.ok, own.ok ? 'answered here' : own.denial.reason);
    return own.ok ? { kind: 'own', endpoint: own.value } : refuse(own.denial);
  }
  const rows = rowSet(rooms.policy, facts);
  trace?.('row set', rows.ok, rows.ok ? `rows of this path: ${rows.value.length}` : rows.denial.reason);
  if (!rows.ok) return refuse(rows.denial);

  const asked = facts.method === 'OPTIONS' ? preflightMethod(head) : null;
  const preflight =
    asked !== null && facts.origin !== null ? judgePreflight(rows.value, facts.origin, asked) : null;
  if (preflight !== null) {
    trace?.('preflight', preflight.ok, preflight.ok ? 'answered here' : preflight.denial.reason);
    if (preflight.ok) return { kind: 'preflight', preflight: preflight.value };
    return refuseUnchosen(preflight.denial, rows.value);
  }

  const match = chooseRow(rows.value, facts);
  trace?.('method', match.ok, match.ok ? rowWords(match.value.route) : match.denial.reason);
  if (!match.ok) return refuseUnchosen(match.denial, rows.value);
  const { route } = match.value;
  footing.route = route;

  const found = route.access === 'public' ? nobody : lookUp(head, facts, route, rooms, trace);
  const identified = found instanceof Promise ? await found : found;
  if (!identified.ok) return refuse(identified.denial, route);
  const { token, presented } = noteCaller(footing, identified.value);

  const decided = decide(rooms.policy, match.value, facts, token, rooms.now(), trace, presented);
  if (!decided.ok) {
    if (decided.denial.monitored !== undefined) footing.monitored = decided.denial.monitored;
    return refuse(decided.denial, route);
  }
  if (decided.value.watched !== undefined) noteWatched(footing, codesOf(decided.value.watched.refusals));

  const early = decided.value.isPriced ? null : await takeBody(head, decided.value, rooms, trace);
  if (early?.ok === false) return refuse(early.denial, route);
  const claim = early === null ? decided.value : priced(decided.value, early.value.reading);

  const { charges, watched } = claim;
  const counted = charges.length === 0 ? noStates : rooms.limiter.consume(charges);
  const states = counted instanceof Promise ? await counted : counted;
  const verdict = judge(states);
  trace?.('limits', verdict.ok, verdict.ok ? `${charges.length} counted` : verdict.denial.reason);
  if (!verdict.ok) {
    return refuse(itemised(verdict.denial, claim, early?.value.reading ?? null), route, states);
  }
  if (watched !== undefined && watched.charges.length > 0) await watchLimits(watched, rooms, footing, trace);

  const taking = early ?? takeBody(head, claim, rooms, trace);
  const taken = taking instanceof Promise ? await taking : taking;
  if (!taken.ok) return refuse(taken.denial, route, states);
  const { reading } = taken.value;

  const pins = claim.pins.length === 0 ? noPins : await askPins(head, claim, reading, rooms, trace);
  if (!pins.ok) return refuse(itemised(pins.denial, claim, reading), route, states);
  notePins(footing, pins.value);

  const annotations = readAnnotations(head, facts.query, route, rooms, trace);
  const permit = admit(claim, states, reading, pins.value.evidence, annotations);
  return permitted(match.value, permit, taken.value, trace);
}

function permitted(match: Match, permit: Permit, { bytes, reading }: TakenBody, trace?: Trace): Ruling {
  const { route } = match;
  if (route.serve !== null) return serve(route.serve, match, permit, bytes, trace);
  return {
    kind: 'forward',
    permit,
    cut: cutFor(route, permit.facts.query, permit.unverified?.source),
    body: bytes,
    bodyCuts: cutsOf(route, reading, trace),
  };
}

/** The body has been scanned: it is UTF-8 and JSON. */
function serve(
  rule: ServeRule,
  match: Match,
  permit: Permit,
  bytes: Uint8Array | null,
  trace?: Trace,
): Ruling {
  const text = bytes === null ? null : Buffer.from(bytes).toString();
  const serving = servingOf(rule, match, permit, text);
  const what = `${rule.operation} of type ${rule.type.name}`;
  trace?.('serve', serving.ok, serving.ok ? what : serving.denial.reason);
  if (!serving.ok) return refuse(serving.denial, permit.route, permit.states);
  if (serving.value.confirmPath !== null) {
    trace?.('confirm', true, `if GET ${serving.value.confirmPath} at ${rule.confirm?.upstream} says 2xx`);
  }
  return { kind: 'serve', permit, serving: serving.value };
}

/** Who asks, as far as it is known; `token` null: nobody, or no record stands for what was presented. */
type Caller = {
  readonly token: TokenRecord | null;
  readonly presented?: Presentation | undefined;
  readonly canary?: TokenRecord;
};

const nobody: Outcome<Caller> = { ok: true, value: { token: null } };

function noteCaller(footing: Footing, caller: Caller): Caller {
  footing.token = caller.token;
  if (caller.presented?.unverified !== undefined) footing.unverified = caller.presented.unverified;
  if (caller.canary !== undefined) footing.canary = caller.canary;
  return caller;
}

/** Counts what only watches: each alone, so that a no of one changes nothing. What cannot be counted is let be. */
async function watchLimits(
  { charges }: Watched,
  { limiter }: Rooms,
  footing: Footing,
  trace?: Trace,
): Promise<void> {
  const counted = await Promise.all(charges.map((charge) => limiter.consume([charge])));
  const spent = counted.flat().filter((state) => state.counted && !state.allowed);
  const said = spent.map(({ limit }) => `limit ${limit.name} is spent`).join(', ');
  trace?.('monitored limits', true, said === '' ? `${charges.length} counted` : `would refuse: ${said}`);
  noteWatched(
    footing,
    spent.map(() => 'rate_limited'),
  );
}

function noteWatched(footing: Footing, codes: readonly DenialCode[]): void {
  if (codes.length > 0) footing.monitored = [...(footing.monitored ?? []), ...codes];
}

function notePins(footing: Footing, asked: AskedPins): void {
  noteWatched(footing, asked.monitored);
  if (asked !== noPinsAsked) footing.bundle = asked.sent;
}

const noPinsAsked: AskedPins = { evidence: [], monitored: [], sent: null };
const noPins: Outcome<AskedPins> = { ok: true, value: noPinsAsked };

/** Reads the credential and finds its record. Bad tokens spend from the failure budget; a spent one refuses before the store is asked. */
function lookUp(
  head: Head,
  facts: RequestFacts,
  route: Route,
  rooms: Rooms,
  trace?: Trace,
): Outcome<Caller> | Promise<Outcome<Caller>> {
  const presented = readCredential(head.rawHeaders, facts.query, route, rooms.policy);
  trace?.('credential', presented.ok, presented.ok ? readAs(presented.value) : presented.denial.reason);
  if (!presented.ok && presented.denial.code !== 'credential_malformed') return presented;
  if (presented.ok && presented.value.types[0]?.verify === 'upstream') return leftToUpstream(presented.value);
  const tooMany = failuresSpent(presented.ok ? presented.value.prefix : '', facts, rooms);
  // The budget is only for what this process has not verified before.
  if (tooMany !== null && !(presented.ok && rooms.tokens.verifiedBefore(presented.value.plaintext))) {
    trace?.('failure budget', false, tooMany.reason);
    return { ok: false, denial: tooMany };
  }
  if (!presented.ok) {
    rooms.failures?.spend(addressKey(facts.address), '');
    return presented;
  }
  const { plaintext, types, prefix, source } = presented.value;
  const known = (found: TokenRecord | null): Outcome<Caller> => {
    // From here on a canary is a token that nobody knows: it costs the same, and is answered the same.
    const token = found?.canary === true ? null : found;
    if (token === null) rooms.failures?.spend(addressKey(facts.address), prefix);
    const presented = { source, csrf: csrfValues(head, source, types, token) };
    const isTold = found !== token && found !== null && isOnGuard(found, rooms.now());
    return { ok: true, value: isTold ? { token, presented, canary: found } : { token, presented } };
  };
  const found = rooms.tokens.find(plaintext, types);
  if (!(found instanceof Promise)) return known(found);
  // Asked before it is found: from then on any that is right is one verified before.
  const isFree = tooMany !== null || rooms.tokens.verifiedBefore(plaintext);
  return found.then((record) => {
    // Looked up beside others of this address: no more of them than the budget has are told right from wrong.
    const spent = isFree ? null : failuresSpent(prefix, facts, rooms);
    return spent === null ? known(record) : { ok: false, denial: spent };
  });
}

/** Nothing is looked up, so nothing can be guessed here: the failure budget is neither asked nor spent. */
function leftToUpstream({ types, source }: Presented): Outcome<Caller> {
  const [type, second] = types;
  if (type === undefined || second !== undefined)
    throw new Error('more than one type to leave to the upstream');
  return { ok: true, value: { token: null, presented: { source, csrf: noValues, unverified: type.name } } };
}

const noValues: readonly string[] = [];

/** What stands in the header that the token's type names; only a cookie needs it. */
function csrfValues(
  head: Head,
  source: Source,
  types: Presented['types'],
  token: TokenRecord | null,
): readonly string[] {
  if (source.kind !== 'cookie' || token === null) return noValues;
  const header = types.find(({ name }) => name === token.type)?.csrf?.header;
  return header === undefined ? noValues : fieldValues(head.rawHeaders, header);
}

function rowWords({ id, websocket }: Route): string {
  return websocket ? `row ${id}, which grants WebSocket handshakes` : `row ${id}`;
}

function readAs({ types, source }: Presented): string {
  return `read as ${types.map(({ name }) => name).join(' or ')} from ${sourceName(source)}`;
}

function refuse(
  reason: Denial,
  route: Route | null = reason.route ?? null,
  states: readonly LimitState[] = noStates,
): Ruling {
  return { kind: 'refuse', denial: reason, route, states, rows: noRows };
}

/** The path is known and the row is not. */
function refuseUnchosen(reason: Denial, rows: RowSet): Ruling {
  const route = reason.route ?? null;
  return { kind: 'refuse', denial: reason, route, states: noStates, rows };
}

/** Fetch standard: a preflight names exactly one method. null: not a preflight. */
function preflightMethod(head: Head): string | null {
  const methods = fieldValues(head.rawHeaders, 'access-control-request-method');
  return methods.length === 1 ? (methods[0] ?? null) : null;
}

/** null: another bad token may be tried. */
function failuresSpent(prefix: string, facts: RequestFacts, { failures }: Rooms): Denial | null {
  const retryAfterMs = failures?.exhausted(addressKey(facts.address), prefix) ?? null;
  if (retryAfterMs === null) return null;
  return denial('too_many_failures', 'this address has sent too many bad tokens', { retryAfterMs });
}
