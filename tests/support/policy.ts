/** Policy's nouns with everything filled in, for tests that care about one field. */
import { parseCell } from '../../policy/cells.ts';
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import type {
  AssertionRule,
  Cell,
  IdentityRule,
  Limit,
  LimitState,
  Match,
  Policy,
  RequestFacts,
  Route,
} from '../../policy/types.ts';
import { rowOf } from '../fixtures/routes.ts';

export const noon = Date.UTC(2026, 0, 1, 12);

export function tokenOf(fields: Partial<TokenRecord> = {}): TokenRecord {
  return {
    id: 'tok_1',
    type: 'user',
    label: 'a token',
    preview: 'u_abcdef',
    scopes: [],
    attributes: new Map(),
    origins: [],
    externalId: null,
    createdAt: noon - 86_400_000,
    createdBy: 'test',
    notBefore: null,
    expiresAt: null,
    lastUsedAt: null,
    rotatedTo: null,
    retireAt: null,
    disabledAt: null,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    version: 1,
    ...fields,
  };
}

export function typeOf(fields: Partial<TokenType> = {}): TokenType {
  return {
    name: 'user',
    prefix: 'u_',
    prefixes: ['u_'],
    issue: { length: 40, alphabet: 'base62' },
    hash: { use: 'sha256' },
    sources: [{ kind: 'bearer' }],
    scopes: { grantable: [] },
    attributes: new Map(),
    ...fields,
  };
}

export function factsOf(fields: Partial<RequestFacts> = {}): RequestFacts {
  return {
    requestId: '00000000-0000-4000-8000-000000000000',
    method: 'GET',
    host: 'api.test',
    path: '/a',
    query: null,
    origin: null,
    address: '192.0.2.1',
    ...fields,
  };
}

export function routeOf(fields: Partial<Route> = {}): Route {
  return { ...rowOf('GET /a').route, ...fields };
}

export function matchOf(fields: Partial<Route> = {}, params: Record<string, string> = {}): Match {
  return { route: routeOf(fields), params: new Map(Object.entries(params)) };
}

/** `{ user: 'a + b' }` as a row's cells. */
export function accessOf(cells: Record<string, string>): ReadonlyMap<string, Cell> {
  return new Map(
    Object.entries(cells).map(([type, text]) => {
      const cell = parseCell(text);
      if (!cell.ok) throw new Error(cell.message);
      return [type, cell.value];
    }),
  );
}

export const identityOf = (fields: Partial<IdentityRule> = {}): IdentityRule => ({
  reservedPrefixes: ['x-postern-'],
  reservedNames: new Set(),
  headers: [],
  assertion: null,
  ...fields,
});

export const assertionOf = (fields: Partial<AssertionRule> = {}): AssertionRule => ({
  header: 'X-Postern-Assertion',
  ttlS: 60,
  issuer: 'postern',
  audience: null,
  bindMethod: false,
  bindPath: false,
  ...fields,
});

export function policyOf(types: readonly TokenType[], fields: Partial<Policy> = {}): Policy {
  return {
    types: new Map(types.map((type) => [type.name, type])),
    annotations: new Map(),
    prefixes: types
      .flatMap((type) => type.prefixes.map((prefix) => ({ prefix, type })))
      .sort((a, b) => b.prefix.length - a.prefix.length),
    scopes: new Map(),
    routes: [],
    find: () => [],
    styleFor: () => null,
    limits: new Map(),
    bundlePins: new Map(),
    identity: identityOf(),
    failureBudget: null,
    version: 'test',
    ...fields,
  };
}

/** For a claim whose charges are all there is to answer. */
export const owesNothing = { isPriced: true, body: null, pins: [] } as const;

export function limitOf(fields: Partial<Limit> = {}): Limit {
  return {
    name: 'calls',
    quota: 10,
    windowMs: 60_000,
    steps: 60,
    per: [{ kind: 'token' }],
    onRedisDown: 'local',
    ...fields,
  };
}

/** A counted yes, unless said otherwise. */
export function stateOf(fields: Partial<LimitState> = {}): LimitState {
  return {
    limit: limitOf(),
    counted: true,
    allowed: true,
    remaining: 5,
    resetMs: 1000,
    retryAfterMs: 0,
    ...fields,
  };
}
