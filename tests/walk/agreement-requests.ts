/** Makes up requests: half of them near the rows of a config, half from the path grammar and beyond it. */
import type { Field } from '../../gateway/answer.ts';
import { signTrigger } from '../../gateway/trigger.ts';
import type { Route } from '../../policy/types.ts';
import type { Chance } from '../fixtures/random.ts';
import { type Framing, jsonFraming } from './agreement-bodies.ts';
import { hostsAsked, prefixesOf, triggerSecret } from './agreement-config.ts';

export type RandomRequest = {
  readonly method: string;
  readonly target: string;
  /** Host first; the credential of `token` is not among them. */
  readonly headers: readonly Field[];
  /** As it is sent, framing and all. */
  readonly body: string;
  /** The same without the framing, where a row may read it; null: no row finds JSON in it. */
  readonly json: string | null;
  /** Which of the minted tokens asks; null: none of them. */
  readonly token: number | null;
};

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const oddMethods = ['TRACE', 'CONNECT', 'get', 'PROPFIND', 'M-SEARCH', 'BREW', 'PURGE', 'QUERY'];
const values = ['acme', 'globex', 'eu', 'u1', 'u2', '7', 'special', 'private', 'x.y~z', 'caf%C3%A9', '%21'];
const segments = [
  ...[
    'relay',
    'relay',
    'items',
    'parts',
    'projects',
    'files',
    'users',
    'tenants',
    'report',
    'events',
    'batch',
    'me',
    'people',
  ],
  ...['status', 'hooks', 'docs', 'shared', 'v1', 'api', 'auth', 'login', ...values],
];
/** What a path may be made of besides plain segments, and what it may not. */
const oddBits = [
  ...[
    '..',
    '.',
    '',
    '%2e',
    '%2E%2e',
    '%2f',
    '%5c',
    '\\',
    '%00',
    '%25',
    '%2525',
    ';x=1',
    '..;',
    '%3b',
    '%zz',
    '%',
  ],
  ...[
    '#',
    '%23',
    '*',
    'ITEMS',
    '%69tems',
    'ſ',
    'é',
    '%ef%bc%8f',
    '%C2%80',
    '%ff',
    '@',
    ':80',
    '~',
    '{id}',
    '|',
  ],
  ...['"', '<', '^', '`', '+', ',', '=', '&', '$', '!', "'", '(', ')', '__proto__', 'constructor'],
  ...['\t', '\x01', '\x7f'],
];
const oddTargets = [
  '*',
  '',
  'items',
  'http://api.test/items',
  '//api.test/items',
  '?x',
  '/',
  'api.test:80',
  '/?',
];
const queries = [
  ...[
    'a=1',
    'a=1&b=2',
    '',
    'token=',
    'key=',
    '%74oken=x',
    'token=abc&token=def',
    'key=prt_x',
    'q=a|b',
    'x=/../y',
  ],
  ...[
    'key=%zz',
    'k%65y=prt_0123456789abcdef',
    'token=sdk_0123456789abcdef0123',
    'a#b',
    'a b',
    'é',
    '&&',
    'a=1?b',
  ],
];
const oddHosts = [
  'API.Test',
  'api.test:8080',
  'api.test:99999',
  '127.1',
  '[::1]',
  'a b',
  '',
  'api..test',
  'xn--a',
  '-',
];
const origins = [
  ...[
    'https://app.example.com',
    'http://localhost:3000',
    'https://evil.test',
    'null',
    'HTTPS://APP.example.com',
  ],
  ...['https://app.example.com:443', 'https://app.example.com/', '', 'https://a https://b', 'file://x'],
];
const badCredentials: readonly Field[] = [
  ['Authorization', 'Bearer'],
  ['Authorization', 'Bearer '],
  ['Authorization', 'Bearer short'],
  ['Authorization', 'Basic dXNlcjpwYXNz'],
  ['Authorization', 'bearer usr_0123456789abcdefghij0123456789'],
  ['Authorization', 'Bearer  usr_0123456789abcdefghij0123456789'],
  ['Authorization', 'Bearer sdk_0123456789abcdefghij0123456789'],
  ['Authorization', 'Bearer __proto__'],
  ['Authorization', `Bearer usr_${'a'.repeat(600)}`],
  ['Authorization', 'Bearer usr_0123456789abc\xe9fghij0123456789'],
  ['X-User-Token', 'usr_0123456789abcdefghij0123456789'],
  ['X-Sdk-Token', 'sdk_0123456789abcdefghij0123456789'],
  ['X-Sdk-Token', ''],
  ['Cookie', 'session=0123456789abcdef0123456789'],
  ['Cookie', 'a=b; session=x; session=y'],
  ['Cookie', 'session='],
];
const extraFields: readonly Field[] = [
  ...triggerFields(),
  ['X-Postern-Token-Id', 'tok_forged'],
  ['x_postern_scopes', 'admin:all'],
  ['X-Acme-User', 'root'],
  ['Connection', 'keep-alive, X-Postern-Route'],
  ['X-Original-URL', '/status'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['__proto__', 'x'],
  ['X-CSRF-Token', 'acme'],
  ['x-csrf-token', 'globex'],
  ['Accept', '*/*'],
  ['Content-Type', 'application/json'],
];
const framing: readonly Framing[] = [
  ...[0, 5, 16, 17, 33, 65, 200].map((bytes) => ({
    fields: [['Content-Length', String(bytes)]] as const,
    body: 'x'.repeat(bytes),
  })),
  { fields: [['Transfer-Encoding', 'chunked']], body: '3\r\nabc\r\n0\r\n\r\n' },
  { fields: [['Transfer-Encoding', 'Chunked']], body: '0\r\n\r\n' },
];
/** After these the connection is over, so they are rare. */
const oddFraming: readonly Field[][] = [
  [['Content-Length', '+3']],
  [['Content-Length', '3, 3']],
  [
    ['Content-Length', '3'],
    ['Transfer-Encoding', 'chunked'],
  ],
  [['Transfer-Encoding', 'gzip']],
  [['Transfer-Encoding', 'identity']],
  [['Expect', '200-maybe']],
  [['Expect', '100-continue']],
  [['Expect', '100-continue, 200-maybe']],
  [
    ['Expect', '100-Continue'],
    ['Expect', '100-continue'],
  ],
];

/** A right one several times, so that it is not rare, and what is wrong in each way. */
function triggerFields(): readonly Field[] {
  const payload = { label: 'a.*', trigger_expires_at: '2999-01-01T00:00:00Z' };
  const right = signTrigger('prb_', triggerSecret, payload);
  const past = signTrigger('prb_', triggerSecret, { ...payload, trigger_expires_at: '2020-01-01T00:00:00Z' });
  const sent = [
    right,
    right,
    right,
    right,
    past,
    `${right}x`,
    'prb_x.y',
    signTrigger('prb_', 'another', payload),
  ];
  const fields = sent.map((trigger): Field => ['X-Probe', trigger]);
  return [...fields, ['Authorization', `Bearer ${right}`], ['X-Postern-Probe', 'forged']];
}

/** @param tokens the type of each minted token. */
export function randomRequest(
  chance: Chance,
  routes: readonly Route[],
  tokens: readonly string[],
): RandomRequest {
  const route = chance.happens(0.5) ? chance.one(routes) : null;
  const method = chance.happens(0.02) ? chance.one(oddMethods) : methodFor(chance, route);
  const path = route === null ? randomPath(chance) : mutated(chance, pathOf(chance, route));
  const query = chance.happens(0.25) ? `?${chance.one(queries)}` : '';
  const { fields, body, json = null } = method === 'CONNECT' ? noBody : framingFor(chance, method, route);
  const token = tokenFor(chance, route, tokens);
  const headers = [...hostFields(chance, route), ...originFields(chance, method), ...fields];
  if (chance.happens(0.2)) headers.push(chance.one(extraFields));
  if (chance.happens(token === null ? 0.6 : 0.08)) headers.push(chance.one(badCredentials));
  return { method, target: path + query, headers, body, json, token };
}

function methodFor(chance: Chance, route: Route | null): string {
  if (route === null || chance.happens(0.1)) return chance.one(methods);
  if (route.cors !== null && chance.happens(0.2)) return 'OPTIONS';
  return route.method === 'GET' && chance.happens(0.15) ? 'HEAD' : route.method;
}

/** Mostly one whose type the row names. */
function tokenFor(chance: Chance, route: Route | null, tokens: readonly string[]): number | null {
  if (!chance.happens(route === null ? 0.4 : 0.85)) return null;
  const any = chance.below(tokens.length);
  if (route === null || route.access === 'public' || chance.happens(0.2)) return any;
  for (let tries = 0; tries < 20; tries++) {
    const index = chance.below(tokens.length);
    if (route.access.has(tokens[index] ?? '')) return index;
  }
  return any;
}

function pathOf(chance: Chance, route: Route): string {
  const prefix = chance.one(prefixesOf[route.api] ?? ['']);
  const path = route.pattern.replace(/\{[^}]+\}/g, (param) => {
    const parts = param.endsWith('...}') ? 1 + chance.below(3) : 1;
    return Array.from({ length: parts }, () => chance.one(values)).join('/');
  });
  return path === '/' && prefix !== '' ? prefix : prefix + path;
}

const mutations: readonly ((chance: Chance, path: string) => string)[] = [
  (_, path) => `${path}/`,
  (chance, path) => `${path}/${chance.one(segments)}`,
  (_, path) => path.slice(0, path.lastIndexOf('/')) || '/',
  (chance, path) => replaceSegment(chance, path, chance.one(segments)),
  (chance, path) => replaceSegment(chance, path, chance.one(oddBits)),
  (chance, path) => insertAt(path, chance.below(path.length + 1), chance.one(oddBits)),
  (chance, path) => encodeByte(path, chance.below(path.length)),
  (chance, path) =>
    chance.happens(0.5) ? path.toUpperCase() : path.replace(/[a-z]/, (c) => c.toUpperCase()),
  (chance, path) => insertAt(path, chance.below(path.length + 1), ';v=1'),
  (_, path) => path.slice(1),
];

function mutated(chance: Chance, path: string): string {
  return chance.happens(0.6) ? path : chance.one(mutations)(chance, path);
}

function replaceSegment(chance: Chance, path: string, by: string): string {
  const parts = path.split('/');
  parts[1 + chance.below(Math.max(1, parts.length - 1))] = by;
  return parts.join('/');
}

function insertAt(path: string, at: number, bit: string): string {
  return path.slice(0, at) + bit + path.slice(at);
}

function encodeByte(path: string, at: number): string {
  const code = path.charCodeAt(at).toString(16).padStart(2, '0');
  return `${path.slice(0, at)}%${code}${path.slice(at + 1)}`;
}

function randomPath(chance: Chance): string {
  if (chance.happens(0.05)) return chance.one(oddTargets);
  if (chance.happens(0.01)) return `/${'a'.repeat(8180 + chance.below(20))}`;
  const parts = Array.from({ length: 1 + chance.below(4) }, () =>
    chance.happens(0.85) ? chance.one(segments) : chance.one(oddBits) + (chance.happens(0.3) ? 'x' : ''),
  );
  return `/${parts.join('/')}`;
}

function hostFields(chance: Chance, route: Route | null): Field[] {
  if (chance.happens(0.02)) return [['Host', chance.one(oddHosts)]];
  const own = route === null || route.hosts.length === 0 || chance.happens(0.1) ? hostsAsked : route.hosts;
  const host: Field = ['Host', chance.one(own) + (chance.happens(0.1) ? ':8080' : '')];
  return chance.happens(0.005) ? [host, ['Host', 'second.test']] : [host];
}

function originFields(chance: Chance, method: string): Field[] {
  if (!chance.happens(method === 'OPTIONS' ? 0.9 : 0.2)) return [];
  const fields: Field[] = [['Origin', chance.one(origins)]];
  if (chance.happens(0.05)) fields.push(['Origin', chance.one(origins)]);
  if (chance.happens(method === 'OPTIONS' ? 0.9 : 0.2)) {
    fields.push(['Access-Control-Request-Method', chance.one(methods)]);
  }
  return fields;
}

const noBody: Framing = { fields: [], body: '' };

function framingFor(chance: Chance, method: string, route: Route | null): Framing {
  if (chance.happens(0.01)) return { fields: chance.one(oddFraming), body: '' };
  const reads = route !== null && route.body !== null;
  if (chance.happens(reads ? 0.8 : 0.03)) return chance.one(jsonFraming);
  const wants = method === 'POST' || method === 'PUT' || method === 'PATCH';
  return chance.happens(wants ? 0.7 : 0.03) ? chance.one(framing) : noBody;
}
