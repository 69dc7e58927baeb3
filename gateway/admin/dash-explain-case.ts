/**
 * A request to be explained, as somebody typed it: read from the form or from an address, and written to an address
 * again, so that it can be sent on. What may hold a secret goes into no address.
 */
import { adminPrefix } from '../../policy/admin-type.ts';
import type { Policy } from '../../policy/types.ts';
import { linesOf, listOf } from './dash-form.ts';

/** As written; '': left out. */
export type Case = {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** The page that it comes from. */
  readonly origin: string;
  readonly from: string;
  readonly nth: string;
  /** `Name: value` each. */
  readonly headers: readonly string[];
  readonly body: string;
  /** `PIN=ID` each. */
  readonly pinned: readonly string[];
  readonly who: Who;
};

export type Who =
  | { readonly kind: 'nobody' }
  /** One of the store, by its id. */
  | { readonly kind: 'token'; readonly id: string }
  | {
      readonly kind: 'type';
      readonly type: string;
      readonly scopes: readonly string[];
      /** `name=value` each. */
      readonly attributes: readonly string[];
      readonly origins: readonly string[];
    };

export const emptyCase: Case = {
  method: 'GET',
  path: '',
  host: '',
  origin: '',
  from: '',
  nth: '',
  headers: [],
  body: '',
  pinned: [],
  who: { kind: 'nobody' },
};

/** What the two spellings have in common. */
function plainOf(said: URLSearchParams): Omit<Case, 'who' | 'headers' | 'pinned' | 'body'> {
  const text = (name: string) => (said.get(name) ?? '').trim();
  return {
    method: text('method').toUpperCase() || 'GET',
    path: text('path'),
    host: text('host'),
    origin: text('origin'),
    from: text('from'),
    nth: text('nth'),
  };
}

/** Of `/explain?…`; without a path there is nothing to explain yet. */
export function caseOfQuery(query: URLSearchParams): Case {
  const [token, type] = [query.get('token'), query.get('as')];
  const scopes = query.getAll('scope');
  const attributes = query.getAll('attribute');
  const who: Who =
    token !== null
      ? { kind: 'token', id: token }
      : type !== null
        ? { kind: 'type', type, scopes, attributes, origins: query.getAll('allowed') }
        : { kind: 'nobody' };
  const [headers, pinned] = [query.getAll('header'), query.getAll('pinned')];
  return { ...plainOf(query), headers, pinned, body: '', who };
}

/** Each type has fields of its own; only those of the one that was chosen are read. */
export function caseOfForm(form: URLSearchParams): Case {
  const lines = (name: string) => linesOf(form.get(name) ?? '');
  return {
    ...plainOf(form),
    headers: lines('headers'),
    body: (form.get('body') ?? '').replaceAll('\r\n', '\n'),
    pinned: lines('pinned'),
    who: whoOfForm(form),
  };
}

function whoOfForm(form: URLSearchParams): Who {
  const who = form.get('who') ?? '';
  if (who === 'token') return { kind: 'token', id: (form.get('token') ?? '').trim() };
  if (!who.startsWith('type:')) return { kind: 'nobody' };
  const type = who.slice('type:'.length);
  const start = `attribute.${type}.`;
  const attributes = [...form]
    .filter(([name]) => name.startsWith(start))
    .flatMap(([name, value]) => linesOf(value).map((one) => `${name.slice(start.length)}=${one}`));
  const origins = listOf(form.get(`allowed.${type}`) ?? '');
  return { kind: 'type', type, scopes: form.getAll(`scope.${type}`), attributes, origins };
}

/** Longer ones are cut by browsers, and refused by servers. */
const addressUnitsMax = 4_000;

/** Where the case can be found again; null: nowhere, for an address is kept by browsers and proxies. */
export function addressOf(one: Case, policy: Policy): string | null {
  if (one.body !== '' || mayHoldSecret(one, policy)) return null;
  const query = new URLSearchParams({ method: one.method, path: one.path });
  for (const name of ['host', 'origin', 'from', 'nth'] as const) {
    if (one[name] !== '') query.set(name, one[name]);
  }
  const all = (name: string, values: readonly string[]) => {
    for (const value of values) query.append(name, value);
  };
  all('header', one.headers);
  all('pinned', one.pinned);
  const { who } = one;
  if (who.kind === 'token') query.set('token', who.id);
  if (who.kind === 'type') {
    query.set('as', who.type);
    all('scope', who.scopes);
    all('attribute', who.attributes);
    all('allowed', who.origins);
  }
  const address = `/explain?${query}`;
  return address.length > addressUnitsMax ? null : address;
}

export function isTokenId(text: string): boolean {
  return /^tok_[0-9A-Z]{26}$/.test(text);
}

/** Where credentials stand, whatever the config says. */
const secretHeaders: readonly string[] = ['authorization', 'proxy-authorization', 'cookie'];

/** A credential by where it stands, or by how it begins. */
function mayHoldSecret({ path, headers, who, ...others }: Case, policy: Policy): boolean {
  const sources = [...policy.types.values(), ...policy.annotations.values()].flatMap((type) => type.sources);
  const named = (kind: 'header' | 'query') =>
    sources.flatMap((source) => (source.kind === kind ? [source.name.toLowerCase()] : []));
  const secret = new Set([...secretHeaders, ...named('header')]);
  if (headers.some((line) => secret.has((line.split(':')[0] ?? '').trim().toLowerCase()))) return true;
  const inQuery = new URLSearchParams(path.split('?').slice(1).join('?'));
  if (named('query').some((name) => [...inQuery.keys()].some((key) => key.toLowerCase() === name)))
    return true;
  if (who.kind === 'token' && !isTokenId(who.id)) return true;
  const { host, origin, from, nth, pinned } = others;
  const texts = [path, host, origin, from, nth, ...headers, ...pinned, ...textsOf(who)];
  const prefixes = [adminPrefix, ...policy.prefixes.map(({ prefix }) => prefix)].filter((one) => one !== '');
  return texts.some((text) => prefixes.some((prefix) => looksLikeToken(text, prefix)));
}

function textsOf(who: Who): readonly string[] {
  return who.kind === 'type' ? [who.type, ...who.attributes, ...who.scopes, ...who.origins] : [];
}

/** So many characters of a token's own alphabet after its prefix are hardly anything else. */
function looksLikeToken(text: string, prefix: string): boolean {
  for (let at = text.indexOf(prefix); at !== -1; at = text.indexOf(prefix, at + 1)) {
    if (/^[A-Za-z0-9_.|-]{16}/.test(text.slice(at + prefix.length))) return true;
  }
  return false;
}
