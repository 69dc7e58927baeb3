/** One policy with every kind of source, row and identity field, and the pieces a request to it is made of. */
import type { Head } from '../../gateway/head.ts';
import { admit } from '../../policy/decide.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { LimitState, Permit, Policy, Route } from '../../policy/types.ts';
import { loaded } from '../fixtures/config.ts';
import { factsOf, owesNothing, tokenOf } from './policy.ts';

const config = `version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  user:
    prefix: u_
    aliases: [user_]
    sources: [bearer, header:X-User-Token, query:token, cookie:session]
    grantable: [a, b]
    attributes: { org: required }
  longer: { prefix: u_long_, sources: [bearer], grantable: [] }
  device: { prefix: d_, sources: [header:X-Device], grantable: [] }
scopes: { a: One, b: Another }
identity:
  reserve: [X-Postern-*, Remote-User]
  headers:
    X-Postern-Token-Id: token.id
    X-Postern-Scopes: token.scopes
    X-Org: token.attribute.org
    X-Row: route.id
cors:
  site: { origins: [https://app.test], methods: [GET], headers: [Content-Type], credentials: true, max_age: 1m, expose: [X-Total] }
apis:
  main:
    to: app
    routes:
      GET /user: { allow: { user: any_scope, longer: any_scope, device: any_scope } }
      GET /pass: { allow: public }
      GET /strip: { allow: public, credentials: strip }
      GET /cors: { allow: public, cors: site }
`;

export const gatePolicy: Policy = loaded(config).policy;

/** @param path of one of the rows above. */
export function gateRoute(path: '/user' | '/pass' | '/strip' | '/cors'): Route {
  const route = gatePolicy.find('api.test', path)[0]?.route;
  if (route === undefined) throw new Error(`no row ${path}`);
  return route;
}

export const goodToken = `u_${'A'.repeat(30)}`;

export function gateHead(rawHeaders: readonly string[], fields: Partial<Head> = {}): Head {
  return {
    method: 'GET',
    target: '/user',
    httpVersion: '1.1',
    rawHeaders: ['Host', 'api.test', ...rawHeaders],
    peer: '192.0.2.1',
    ...fields,
  };
}

export const knownToken: TokenRecord = tokenOf({ id: 'tok_ours', attributes: new Map([['org', 'acme']]) });

/** The yes for one of the rows above; on a public one nobody is known. */
export function gatePermit(
  route: Route,
  origin: string | null = null,
  states: readonly LimitState[] = [],
): Permit {
  const isPublic = route.access === 'public';
  const claim = {
    match: { route, params: new Map() },
    facts: factsOf({ origin, requestId: 'ours-1' }),
    token: isPublic ? null : knownToken,
    scopes: isPublic ? [] : ['a', 'b'],
    charges: states.map(({ limit }) => ({ limit, key: limit.name, cost: 1 })),
    ...owesNothing,
  };
  return admit(claim, states);
}

export type Fields = readonly (readonly [name: string, value: string])[];

/** Fields out of names and values in turn. */
export function pairs(flat: readonly string[]): Fields {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : []));
}

/** What the upstream is told of `knownToken` on `GET /user`. */
export const identity: Fields = [
  ['X-Postern-Token-Id', 'tok_ours'],
  ['X-Postern-Scopes', 'a b'],
  ['X-Org', 'acme'],
  ['X-Row', 'main GET /user'],
];

/** One name as nine lenient readers would still understand it. */
export const spellings: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toLowerCase(),
  (name) => name.toUpperCase(),
  ...['_', '.', '^', '+', '~', '|'].map((mark) => (name: string) => name.replaceAll('-', mark)),
];
