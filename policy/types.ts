/** The nouns every room speaks. Types only: nothing here runs. */
import type { Annotations, AnnotationType, Unverified } from './annotation-types.ts';
import type { BodyRule, BundlePin, PinEvidence, PinOwed } from './body-types.ts';
import type { ErrorStyle } from './error-style.ts';
import type { ObserveRule, Observing } from './observe-types.ts';
import type { OriginList, OriginPin } from './pin-types.ts';
import type { ServeRule } from './serve-types.ts';
import type { Source, TokenRecord, TokenType } from './token-types.ts';

/** One cell of the matrix: what a token of a type must hold to use a row. */
export type Cell =
  | { readonly kind: 'any' }
  | { readonly kind: 'all'; readonly scopes: readonly string[] }
  | { readonly kind: 'either'; readonly scopes: readonly string[] };

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'rest'; readonly name: string };

/** A path parameter that must equal, or be contained in, an attribute of the token. */
export type Bind = {
  readonly param: string;
  readonly attribute: string;
  /** What a mismatch looks like outside: 404 hides that the resource exists. */
  readonly refuseAs: 403 | 404;
};

export type LimitPart =
  | { readonly kind: 'token' }
  | { readonly kind: 'address' }
  | { readonly kind: 'route' }
  | { readonly kind: 'api' }
  | { readonly kind: 'attribute'; readonly name: string };

/** A limit: never more than `quota` in any trailing `windowMs`. Its name is its bucket. */
export type Limit = {
  readonly name: string;
  readonly quota: number;
  readonly windowMs: number;
  /** Into how many steps the window is cut; it may refuse up to one step early. `exact`: steps of 1 ms. */
  readonly steps: number;
  readonly per: readonly LimitPart[];
  readonly onRedisDown: 'local' | 'open' | 'closed';
  /** `mode: monitor`: until this instant (Unix ms) it only watches. Absent: it is enforced. */
  readonly monitorUntil?: number;
  /** JSON pointer of the array in the body whose items are what a request costs; absent: it costs 1. */
  readonly costAt?: string;
};

/** An IP network: two 16-bit groups are v4, eight are v6. No bit is set beyond the first `bits`. */
export type Network = { readonly groups: readonly number[]; readonly bits: number };

export type CidrPin = {
  readonly kind: 'cidr';
  readonly name: string;
  readonly allow: readonly Network[];
  /** As on a limit. */
  readonly monitorUntil?: number;
};

/** Who may read answers from a browser (Fetch standard, CORS protocol). */
export type Cors = {
  readonly name: string;
  /** 'any': every syntactically valid origin is echoed; never together with `credentials`. */
  readonly origins: 'any' | readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly expose: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeS: number;
};

/** One row of the matrix, compiled. */
export type Route = {
  /** `API METHOD PATTERN`, without any of the api's prefixes: one row, one id, one bucket. */
  readonly id: string;
  readonly api: string;
  readonly method: Method;
  readonly pattern: string;
  readonly hosts: readonly string[];
  /** The pattern under each of its api's prefixes: every path it answers to. */
  readonly paths: readonly (readonly Segment[])[];
  /** '': the row is answered here, and asks nobody. */
  readonly upstream: string;
  /** What is done here instead of forwarding; null: it is forwarded. */
  readonly serve: ServeRule | null;
  /** Cells by type name; a type that is not in it is refused. */
  readonly access: 'public' | ReadonlyMap<string, Cell>;
  /** Where this row's api looks for a credential, in order; cookies last. */
  readonly sources: readonly Source[];
  /** The scheme of Authorization is `Bearer` to the letter; absent: in any case (RFC 9110 §11.1). */
  readonly strictScheme?: true;
  /** The signed tokens that are looked for here; absent: none. */
  readonly annotate?: readonly AnnotationType[];
  readonly bind: readonly Bind[];
  /** How an origin list on the token is enforced here; null: this row opted out. */
  readonly originPin: OriginPin | null;
  /** Which pages may call this row, whoever asks; absent: it names no such list. */
  readonly originList?: OriginList;
  /** Where callers may come from; null: anywhere. */
  readonly addressPin: CidrPin | null;
  /** As on a limit, for the scopes that the cells ask for. */
  readonly scopesMonitorUntil?: number;
  readonly limits: readonly Limit[];
  /** What a 2xx of the upstream changes here; null: nothing. */
  readonly observe: ObserveRule | null;
  readonly cors: Cors | null;
  /** How its refusals are worded; null: RFC 9457. */
  readonly errors: ErrorStyle | null;
  /** Bytes; null: no cap. */
  readonly bodyBytesMax: number | null;
  /** null: the body is none of our business and streams through. */
  readonly body: BodyRule | null;
  readonly bundlePins: readonly BundlePin[];
  /** Whether a public row passes client credentials on. */
  readonly credentials: 'pass' | 'strip';
  /** Whether `;` may stand in the path. */
  readonly pathParameters: boolean;
  /** Whether a WebSocket handshake (RFC 6455 §4) is granted here; never on another row. */
  readonly websocket: boolean;
};

/** Rows that a host and path lead to, best first. */
export type RowSet = readonly Match[];

/** A row and what its `{x}` stood for, percent-decoded once. */
export type Match = { readonly route: Route; readonly params: ReadonlyMap<string, string> };

/** Where an identity header's value comes from. */
export type IdentityField =
  | { readonly kind: 'token.id' | 'token.type' | 'token.scopes' | 'token.label' }
  | { readonly kind: 'route.id' | 'api' }
  | { readonly kind: 'token.attribute'; readonly name: string }
  | { readonly kind: 'annotation'; readonly type: string; readonly field: string }
  | { readonly kind: 'pin'; readonly pin: string; readonly field: 'pinned' | 'sent' | 'first_use' };

export type IdentityRule = {
  /** Folded prefixes (`x-postern-`) nobody but Postern may speak under. */
  readonly reservedPrefixes: readonly string[];
  /** Folded exact names, reserved as well. */
  readonly reservedNames: ReadonlySet<string>;
  readonly headers: readonly { readonly name: string; readonly from: IdentityField }[];
  /** null: the upstream gets no signed statement. */
  readonly assertion: AssertionRule | null;
};

/** The signed statement of who calls: what it says and for how long. With what key is the gateway's to know. */
export type AssertionRule = {
  readonly header: string;
  readonly ttlS: number;
  readonly issuer: string;
  /** null: the name of the upstream that is asked. */
  readonly audience: string | null;
  /** Whether it also says what is asked; then it holds for one request only, and is never kept. */
  readonly bindMethod: boolean;
  readonly bindPath: boolean;
};

export type FailureBudget = { readonly quota: number; readonly windowMs: number };

/** The compiled policy: frozen, replaced whole on reload, never edited. */
export type Policy = {
  /** What may be a credential. */
  readonly types: ReadonlyMap<string, TokenType>;
  /** What may never be one. */
  readonly annotations: ReadonlyMap<string, AnnotationType>;
  /** Every accepted prefix with its type, longest first; null: of tokens that only annotate. */
  readonly prefixes: readonly { readonly prefix: string; readonly type: TokenType | null }[];
  /** Scope name to its sentence. */
  readonly scopes: ReadonlyMap<string, string>;
  readonly routes: readonly Route[];
  /** Every row that this host and raw path could mean, most specific first; empty: no such row. */
  readonly find: (host: string, path: string) => RowSet;
  /** How what no row of this host answers for is worded; null: RFC 9457. @param host null: nobody can tell. */
  readonly styleFor: (host: string | null) => ErrorStyle | null;
  readonly limits: ReadonlyMap<string, Limit>;
  /** Pins that remember a value, with what each belongs to: the name of an attribute, or `token`. */
  readonly bundlePins: ReadonlyMap<string, string>;
  readonly identity: IdentityRule;
  readonly failureBudget: FailureBudget | null;
  /** Where reports of leaked tokens are taken; absent: nowhere. */
  readonly leaksPath?: string;
  /** Short digest of the config text, for logs and /readyz. */
  readonly version: string;
};

/** Everything policy may know of a request. */
export type RequestFacts = {
  readonly requestId: string;
  /** As sent. HEAD is judged by the GET row. */
  readonly method: string;
  /** Lower case, without port. */
  readonly host: string;
  /** The raw path, byte for byte what is forwarded. */
  readonly path: string;
  /** The raw query without `?`; null: there was none. */
  readonly query: string | null;
  /** The Origin field as sent; null: none was sent. */
  readonly origin: string | null;
  /** Canonical client address: mapped v4 as v4, v6 whole. */
  readonly address: string;
};

/** "Count this": one use of one bucket. `cost` 1 or more; where it stands in the body, 1 until that is read. */
export type Charge = { readonly limit: Limit; readonly key: string; readonly cost: number };

/** Where a limit stands after a charge. Durations in ms. */
export type LimitState = {
  readonly limit: Limit;
  /** false: the counter could not tell; the other fields then mean nothing. */
  readonly counted: boolean;
  readonly allowed: boolean;
  readonly remaining: number;
  /** Until more is free. */
  readonly resetMs: number;
  /** 0: allowed; -1: can never be allowed (cost over quota). */
  readonly retryAfterMs: number;
};

/** "No", about the caller. The names are the contract of logs and `explain`. */
export type DenialCode =
  | 'request_malformed'
  | 'path_ambiguous'
  | 'header_too_large'
  | 'uri_too_long'
  | 'body_too_large'
  | 'body_malformed'
  | 'body_encoding'
  | 'cost_too_large'
  | 'expectation_failed'
  | 'request_timeout'
  | 'route_not_found'
  | 'method_not_allowed'
  | 'cors_origin_not_allowed'
  | 'credential_missing'
  | 'credential_malformed'
  | 'credential_ambiguous'
  | 'too_many_failures'
  | 'token_unknown'
  | 'token_expired'
  | 'token_revoked'
  | 'token_disabled'
  | 'type_not_allowed'
  | 'scope_missing'
  | 'csrf_invalid'
  | 'bind_mismatch'
  | 'origin_not_allowed'
  | 'address_not_allowed'
  | 'bundle_mismatch'
  | 'bundle_missing'
  | 'rate_limited'
  | 'payload_invalid'
  | 'origins_invalid'
  | 'report_unsigned'
  | 'record_not_found'
  | 'activations_full';

export type Denial = {
  readonly code: DenialCode;
  /** For the log and `explain`; never sent to the caller. */
  readonly reason: string;
  /** Methods the row set has, for the Allow field. */
  readonly allow?: readonly string[];
  /** RFC 6750 §3 `scope`: what the row asks for. */
  readonly requiredScopes?: readonly string[];
  readonly retryAfterMs?: number;
  /** Items in the body, where the row counts them. */
  readonly batchCount?: number;
  /** bind_mismatch: 403 or 404, as the row says. */
  readonly status?: 403 | 404;
  /** What is pinned without its first character, where the caller may see it. */
  readonly maskedPin?: string;
  /** The row that refused, where one was found. */
  readonly route?: Route;
  /** What would have refused before it, were it not in monitor mode. */
  readonly monitored?: readonly DenialCode[];
};

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly denial: Denial };

/** What `decide` established: who may do what, and what is still owed before it is a yes. */
export type Claim = {
  readonly match: Match;
  readonly facts: RequestFacts;
  /** null on a public row, and beside `unverified`. */
  readonly token: TokenRecord | null;
  /** Absent: what lets the caller in is the token, or the row is public. */
  readonly unverified?: Unverified;
  /** Effective scopes of the token; empty on a public row. */
  readonly scopes: readonly string[];
  readonly charges: readonly Charge[];
  /** false: a cost stands in the body and has not been read yet (`priced`). */
  readonly isPriced: boolean;
  /** What the body must still be; null: nothing. */
  readonly body: BodyRule | null;
  readonly pins: readonly PinOwed[];
  /** Absent: nothing on the row is in monitor mode, or nothing of it matters here. */
  readonly watched?: Watched;
};

/** What is in monitor mode: never a no, always told. */
export type Watched = {
  /** What would have been refused so far. */
  readonly refusals: readonly Denial[];
  /** To be counted apart, each alone, so that its no changes nothing. */
  readonly charges: readonly Charge[];
  /** When it was judged, in Unix ms: monitors end. */
  readonly now: number;
};

declare const admitted: unique symbol;

/** The yes. Only `admit` makes one; forwarding takes nothing else. */
export type Permit = {
  readonly [admitted]: true;
  readonly route: Route;
  readonly facts: RequestFacts;
  readonly token: TokenRecord | null;
  /** As in the claim: this one credential goes on to the upstream. */
  readonly unverified?: Unverified;
  /** Absent: no right signed token came with the request. */
  readonly annotations?: Annotations;
  /** Of the row's bundle pins; absent: it has none. */
  readonly pins?: readonly PinEvidence[];
  readonly scopes: readonly string[];
  readonly states: readonly LimitState[];
  /** What the upstream's success is to change; null: nothing. */
  readonly observing: Observing | null;
};
