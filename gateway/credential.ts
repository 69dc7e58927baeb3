/**
 * What the caller presents (RFC 6750 §2). Finds it, sorts it by prefix, and says what must be cut
 * from the request so that no credential of ours reaches an upstream. Never verifies anything.
 */
import { adminPrefix } from '../policy/admin-type.ts';
import { denied } from '../policy/denial.ts';
import type { Source, TokenType } from '../policy/token-types.ts';
import type { Outcome, Policy, Route } from '../policy/types.ts';
import { endsInChecksum, splitIdPipe } from '../store/token-format.ts';
import { cookieValue } from './credential-cookie.ts';
import { cutFromQuery, queryValue } from './credential-query.ts';
import { fieldValues } from './head.ts';

/** A token as presented. `plaintext` goes to the store and nowhere else. */
export type Presented = {
  readonly plaintext: string;
  readonly source: Source;
  /** The types it may be of, by prefix; never empty. */
  readonly types: readonly TokenType[];
  /** The prefix that sorted it; '' where the type has none. */
  readonly prefix: string;
};

/** What must not reach the upstream. */
export type Cut = {
  /** Lower-case field names. */
  readonly fields: ReadonlySet<string>;
  readonly cookies: ReadonlySet<string>;
  /** The query to forward. */
  readonly query: string | null;
};

export const tokenBytes = /^[A-Za-z0-9._~+/=|-]{16,512}$/;

/** Reads the first non-empty source in the row's order; the others are ignored (and cut). */
export function readCredential(
  rawHeaders: readonly string[],
  query: string | null,
  route: Route,
  policy: Policy,
): Outcome<Presented> {
  for (const source of route.sources) {
    const found = valueFrom(source, rawHeaders, query, route.strictScheme);
    if (!found.ok) return found;
    if (found.value === null) continue;
    return sortByPrefix(found.value, source, policy);
  }
  return denied('credential_missing', `no token in ${route.sources.map(sourceName).join(', ')}`);
}

/**
 * What is cut on a row: every source of its api, and Authorization on any row that is not public. A public row that
 * strips knows nobody, so no cookie is anybody's business there: they all go, whoever would read them.
 *
 * @param kept where a credential stands that is the upstream's to verify; nothing else is spared.
 */
export function cutFor(route: Route, query: string | null, kept?: Source): Cut {
  if (route.access === 'public' && route.credentials === 'pass')
    return { fields: nothing, cookies: nothing, query };
  const { fields, cookies, parameters } = kept === undefined ? cutOf(route) : sparing(cutOf(route), kept);
  return { fields, cookies, query: parameters.reduce<string | null>(cutFromQuery, query) };
}

function sparing({ fields, cookies, parameters }: RowCut, kept: Source): RowCut {
  const field = kept.kind === 'bearer' ? 'authorization' : kept.kind === 'header' ? kept.name : null;
  return {
    fields: new Set([...fields].filter((name) => name !== field)),
    cookies: new Set([...cookies].filter((name) => kept.kind !== 'cookie' || name !== kept.name)),
    parameters: parameters.filter((name) => kept.kind !== 'query' || name !== kept.name),
  };
}

/** What is cut on a row, whatever comes. */
type RowCut = Omit<Cut, 'query'> & {
  /** Of the query. */
  readonly parameters: readonly string[];
};

const nothing: ReadonlySet<string> = new Set();
const cuts = new WeakMap<Route, RowCut>();

function cutOf(route: Route): RowCut {
  const known = cuts.get(route);
  if (known !== undefined) return known;
  const fields = new Set(route.access === 'public' ? ['authorization', 'cookie'] : ['authorization']);
  const cookies = new Set<string>();
  const parameters: string[] = [];
  for (const source of route.sources) {
    if (source.kind === 'header') fields.add(source.name);
    if (source.kind === 'cookie') cookies.add(source.name);
    if (source.kind === 'query') parameters.push(source.name);
  }
  const cut = { fields, cookies, parameters };
  cuts.set(route, cut);
  return cut;
}

/** What stands there; null: nothing. Refuses what could be read in two ways. */
export function valueFrom(
  source: Source,
  rawHeaders: readonly string[],
  query: string | null,
  strictScheme = false,
): Outcome<string | null> {
  switch (source.kind) {
    case 'bearer':
      return bearerValue(fieldValues(rawHeaders, 'authorization'), strictScheme ? exactScheme : anyScheme);
    case 'header': {
      const values = fieldValues(rawHeaders, source.name);
      if (values.length > 1) return denied('credential_ambiguous', `${source.name} is sent twice`);
      return { ok: true, value: values[0] || null };
    }
    case 'query':
      return queryValue(query, source.name);
    case 'cookie': {
      if (fieldValues(rawHeaders, 'authorization').length > 0) return { ok: true, value: null };
      return cookieValue(fieldValues(rawHeaders, 'cookie'), source.name);
    }
  }
}

/** RFC 9110 §11.1: the scheme is compared without case. Then exactly one space (RFC 6750 §2.1). */
const anyScheme = /^bearer ([^ ]+)$/i;
const exactScheme = /^Bearer ([^ ]+)$/;

function bearerValue(values: readonly string[], scheme: RegExp): Outcome<string | null> {
  if (values.length > 1) return denied('credential_ambiguous', 'Authorization is sent twice');
  const value = values[0];
  if (value === undefined || value === '') return { ok: true, value: null };
  const token = scheme.exec(value)?.[1];
  if (token === undefined) return denied('credential_malformed', 'Authorization is not `Bearer TOKEN`');
  return { ok: true, value: token };
}

/** Refuses without any look-up what cannot be a token of ours. */
function sortByPrefix(plaintext: string, source: Source, policy: Policy): Outcome<Presented> {
  if (!tokenBytes.test(plaintext)) {
    return denied('credential_malformed', 'not 16 to 512 bytes of the token alphabet');
  }
  for (const { prefix, type } of policy.prefixes) {
    if (!plaintext.startsWith(prefix)) continue;
    if (type === null) return denied('credential_malformed', 'signed tokens are no credentials');
    if (!reads(type, source)) {
      return denied('credential_malformed', `type ${type.name} is not read from ${sourceName(source)}`);
    }
    if (type.checksum === true && !endsInChecksum(plaintext)) {
      return denied('credential_malformed', `not the checksum of a token of type ${type.name}`);
    }
    return { ok: true, value: { plaintext, source, types: [type], prefix } };
  }
  const bare = bareTypes(plaintext, policy).filter((type) => reads(type, source));
  if (bare.length === 0) return denied('credential_malformed', 'no token type has this prefix');
  // No config gets this far; what Postern should verify must never be passed on unverified.
  if (bare.length > 1 && bare.some(({ verify }) => verify !== undefined)) {
    return denied('credential_malformed', 'nothing tells whose token it is');
  }
  return { ok: true, value: { plaintext, source, types: bare, prefix: '' } };
}

/** Whether it could be presented as a token of the type, wherever that is read from: by the rules that sort them. */
export function couldBe(plaintext: string, { name }: TokenType, policy: Policy): boolean {
  if (!tokenBytes.test(plaintext)) return false;
  const sorted = policy.prefixes.find(({ prefix }) => plaintext.startsWith(prefix));
  if (sorted === undefined) return bareTypes(plaintext, policy).some((type) => type.name === name);
  if (sorted.type?.name !== name) return false;
  return sorted.type.checksum !== true || endsInChecksum(plaintext);
}

/**
 * Types without prefix. Where there are types of `<id>|<random>`, what looks so is theirs and nobody else's. Admin tokens
 * are nobody's here: they are neither looked up nor left to an upstream.
 */
function bareTypes(plaintext: string, { types }: Policy): readonly TokenType[] {
  if (plaintext.startsWith(adminPrefix)) return [];
  const bare = [...types.values()].filter(({ prefix }) => prefix === '');
  const piped = bare.filter(({ format }) => format === 'id_pipe_random');
  if (piped.length === 0) return bare;
  return splitIdPipe(plaintext) === null ? bare.filter((type) => !piped.includes(type)) : piped;
}

function reads(type: TokenType, source: Source): boolean {
  return type.sources.some((own) => own === source || sourceName(own) === sourceName(source));
}

/** As the config spells it. */
export function sourceName(source: Source): string {
  return source.kind === 'bearer' ? 'bearer' : `${source.kind}:${source.name}`;
}
