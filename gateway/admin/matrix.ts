/** The matrix as people read it: every row, every token type, and what the one asks of the other. */
import type { AnnotationType } from '../../policy/annotation-types.ts';
import { formatCell } from '../../policy/cells.ts';
import { formatNetwork } from '../../policy/cidr.ts';
import { formatUntil } from '../../policy/monitor.ts';
import { formatBundlePin, formatLimit, formatObserve, formatSource } from '../../policy/rule-text.ts';
import type { TokenType } from '../../policy/token-types.ts';
import type { Bind, Cell, Cors, Policy, Route } from '../../policy/types.ts';
import { formatServe } from './matrix-served.ts';

/** As `matrix --json` prints it. */
export type Matrix = {
  /** What may be a credential. */
  readonly types: readonly string[];
  /** The signed types, which say something of a request and open nothing. */
  readonly annotations: readonly string[];
  readonly rows: readonly MatrixRow[];
  /** Every declared scope, by what each type may do of it. */
  readonly scopes: readonly MatrixScope[];
  readonly token_types: readonly MatrixType[];
  /** The blocks that rows use. */
  readonly cors: readonly MatrixCors[];
};

/** What a kind of token can be, whatever row it asks for. */
export type MatrixType = {
  readonly type: string;
  /** Whether it is signed, and no credential: it has no scopes then. */
  readonly annotates: boolean;
  readonly scopes: readonly string[];
  /** Whether each token has only those of `scopes` it was granted; else it has all. */
  readonly granted: boolean;
  readonly prefixes: readonly string[];
  readonly sources: readonly string[];
  /** `HEADER is token.attribute.NAME`; null: nothing is asked beside a cookie. */
  readonly csrf: string | null;
};

export type MatrixScope = {
  readonly scope: string;
  /** As the config declares it. */
  readonly sentence: string;
  /** By type. `yes`: each of its tokens has the scope; `grantable`: those that were given it. */
  readonly types: Readonly<Record<string, 'yes' | 'grantable' | 'no'>>;
};

export type MatrixCors = {
  readonly cors: string;
  readonly origins: 'any' | readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly expose: readonly string[];
  readonly credentials: boolean;
  readonly max_age_s: number;
};

export type MatrixRow = {
  /** The row's id. */
  readonly row: string;
  readonly api: string;
  readonly method: string;
  readonly pattern: string;
  /** Empty: any. */
  readonly hosts: readonly string[];
  readonly public: boolean;
  /** By type; a type that is not here is refused. Empty on a public row. */
  readonly cells: Readonly<Record<string, string>>;
  /** The signed types that are looked for here, on public rows too. */
  readonly annotated_by: readonly string[];
  readonly bind: readonly string[];
  readonly limits: readonly string[];
  /** How origins on a token are enforced; null: the row is public. */
  readonly origin_pin: string | null;
  /** The pages that may call the row, whoever asks; null: any. */
  readonly row_origin_pin: string | null;
  /** The networks callers must be in; null: any. */
  readonly address_pin: string | null;
  /** What is in monitor mode, and until when. */
  readonly monitored: readonly string[];
  readonly bundle_pins: readonly string[];
  /** Bytes; null: no cap. */
  readonly body_max: number | null;
  /** Whether a body must be JSON. */
  readonly body_json: boolean;
  /** Members that are cut out before the body goes on, as `json:POINTER`. */
  readonly body_cut: readonly string[];
  /** Which block of `cors` it uses; null: none. */
  readonly cors: string | null;
  /** Whether client credentials go on; null: the row is not public. */
  readonly credentials: 'pass' | 'strip' | null;
  /** What a 2xx of the upstream changes. */
  readonly observes: readonly string[];
  /** Which style words its refusals; null: RFC 9457. */
  readonly errors: string | null;
  /** Whether `;` may stand in the path. */
  readonly path_parameters: boolean;
  /** Whether the scheme of Authorization must be `Bearer` to the letter. */
  readonly strict_scheme: boolean;
  /** Where it goes; `serve OPERATION`: it is answered here. */
  readonly upstream: string;
  /** What is done here, and to which tokens; null: it is forwarded. */
  readonly served: string | null;
  /** Whether WebSocket handshakes are granted. */
  readonly websocket: boolean;
};

export function matrixOf(policy: Policy): Matrix {
  const { types, annotations, scopes, routes } = policy;
  const blocks = new Map(routes.flatMap(({ cors }) => (cors === null ? [] : [[cors.name, cors] as const])));
  return {
    types: [...types.keys()],
    annotations: [...annotations.keys()],
    rows: routes.map((route) => rowOf(route, policy)),
    scopes: [...scopes].map(([scope, sentence]) => scopeOf(scope, sentence, policy)),
    token_types: [...[...types.values()].map(typeOf), ...[...annotations.values()].map(annotationOf)],
    cors: [...blocks.values()].map(corsOf),
  };
}

function scopeOf(scope: string, sentence: string, { types }: Policy): MatrixScope {
  const holds = [...types.values()].map((type) => [type.name, holdsScope(type, scope)]);
  return { scope, sentence, types: Object.fromEntries(holds) };
}

function holdsScope({ scopes }: TokenType, scope: string): MatrixScope['types'][string] {
  if ('fixed' in scopes) return scopes.fixed.includes(scope) ? 'yes' : 'no';
  return scopes.grantable.includes(scope) ? 'grantable' : 'no';
}

function annotationOf({ name, prefix, sources }: AnnotationType): MatrixType {
  const nothing = { annotates: true, scopes: [], granted: false, csrf: null };
  return { type: name, ...nothing, prefixes: [prefix], sources: sources.map(formatSource) };
}

function typeOf({ name, scopes, prefixes, sources, csrf }: TokenType): MatrixType {
  return {
    type: name,
    annotates: false,
    scopes: 'fixed' in scopes ? scopes.fixed : scopes.grantable,
    granted: !('fixed' in scopes),
    prefixes,
    sources: sources.map(formatSource),
    csrf: csrf === undefined ? null : `${csrf.header} is token.attribute.${csrf.attribute}`,
  };
}

function corsOf({ name, maxAgeS, origins, methods, headers, expose, credentials }: Cors): MatrixCors {
  return { cors: name, origins, methods, headers, expose, credentials, max_age_s: maxAgeS };
}

function rowOf(route: Route, { types }: Policy): MatrixRow {
  const { id, api, method, pattern, hosts, access, upstream, serve, websocket } = route;
  const isPublic = access === 'public';
  const cells = isPublic ? [] : [...access].map(([type, cell]) => [type, cellText(cell, types.get(type))]);
  return {
    row: id,
    api,
    method,
    pattern,
    hosts,
    public: isPublic,
    cells: Object.fromEntries(cells),
    annotated_by: (route.annotate ?? []).map(({ name }) => name),
    bind: route.bind.map(formatBind),
    limits: route.limits.map((limit) => `${limit.name} ${formatLimit(limit)}`),
    origin_pin: isPublic ? null : formatPin(route),
    row_origin_pin: formatOriginList(route),
    address_pin: formatAddressPin(route),
    monitored: monitoredOf(route),
    bundle_pins: route.bundlePins.map((pin) => `${pin.name}, ${formatBundlePin(pin)}`),
    body_max: route.bodyBytesMax,
    body_json: route.body !== null,
    body_cut: (route.body?.cut ?? []).map((pointer) => `json:${pointer}`),
    cors: route.cors?.name ?? null,
    credentials: isPublic ? route.credentials : null,
    observes: route.observe?.entries.map(formatObserve) ?? [],
    errors: route.errors?.name ?? null,
    path_parameters: route.pathParameters,
    strict_scheme: !isPublic && route.strictScheme === true,
    upstream: serve === null ? upstream : `serve ${serve.operation}`,
    served: serve === null ? null : formatServe(serve),
    websocket,
  };
}

/** What the upstream verifies is let in by its shape alone. */
function cellText(cell: Cell, type: TokenType | undefined): string {
  return type?.verify === 'upstream' ? `${formatCell(cell)}, not verified here` : formatCell(cell);
}

function formatBind({ param, attribute, refuseAs }: Bind): string {
  return `{${param}} is token.attribute.${attribute}${refuseAs === 404 ? ' else 404' : ''}`;
}

function formatPin({ originPin }: Route): string {
  return originPin === null ? 'off' : `${originPin.name}, ${originPin.whenMissing} without Origin`;
}

function formatOriginList({ originList }: Route): string | null {
  if (originList === undefined) return null;
  return `${originList.name}, ${originList.allow.join(' ')}, ${originList.whenMissing} without Origin`;
}

function formatAddressPin({ addressPin }: Route): string | null {
  if (addressPin === null) return null;
  return `${addressPin.name}, ${addressPin.allow.map(formatNetwork).join(' ')}`;
}

/** In words that do not depend on the day they are read. */
function monitoredOf(route: Route): readonly string[] {
  const { access, scopesMonitorUntil, originPin, originList = null, addressPin, bundlePins, limits } = route;
  const pins = access === 'public' ? [originList, addressPin] : [originPin, originList, addressPin];
  const all: readonly (readonly [name: string, until: number | undefined])[] = [
    ['scopes', scopesMonitorUntil],
    ...pins.flatMap((pin) => (pin === null ? [] : [[`pin ${pin.name}`, pin.monitorUntil] as const])),
    ...bundlePins.map(({ name, monitorUntil }) => [`pin ${name}`, monitorUntil] as const),
    ...limits.map(({ name, monitorUntil }) => [`limit ${name}`, monitorUntil] as const),
  ];
  return all.flatMap(([name, until]) => (until === undefined ? [] : [`${name} until ${formatUntil(until)}`]));
}
