/** What rows that Postern answers itself read alike: path, caller, body and query. */
import { denied } from './denial.ts';
import type { Page, ServedSource, ServeOperation, ServeRule } from './serve-types.ts';
import type { TokenRecord } from './token-types.ts';
import type { Match, Outcome } from './types.ts';

const limitDefault = 20;
const limitMax = 100;

export function paramOf(params: Match['params'], name: string): string {
  const value = params.get(name);
  if (value === undefined) throw new Error('a row serves a parameter it does not have');
  return value;
}

/** Percent-encoded anew (RFC 3986 §2.1), from what was decoded once. */
export function pathOf(
  segments: NonNullable<ServeRule['confirm']>['segments'],
  params: Match['params'],
): string {
  const texts = segments.map((segment) =>
    segment.kind === 'literal' ? segment.text : encodeURIComponent(paramOf(params, segment.name)),
  );
  return `/${texts.join('/')}`;
}

export function textsOf(source: ServedSource, params: Match['params'], caller: TokenRecord | null) {
  switch (source.kind) {
    case 'text':
      return [source.text];
    case 'param':
      return [paramOf(params, source.param)];
    case 'attribute':
      return [caller?.attributes.get(source.name) ?? []].flat();
    case 'answer':
      throw new Error('what an answer says is known when there is one');
  }
}

/** Keys are strict: what is not known here would be silently without effect. */
export function readObject(
  operation: ServeOperation,
  text: string,
  known: readonly string[],
): Outcome<Readonly<Record<string, unknown>>> {
  const body: unknown = JSON.parse(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return invalid('it is not an object');
  const odd = Object.keys(body).find((key) => !known.includes(key));
  if (odd !== undefined) return invalid(`a key that ${operation} does not know here`);
  return { ok: true, value: { ...body } };
}

/** `limit` and `cursor`; what else stands in the query is nobody's here. */
export function readPage(query: string | null, cursorText: RegExp): Outcome<Page> {
  const said = new URLSearchParams(query ?? '');
  const [limits, cursors] = [said.getAll('limit'), said.getAll('cursor')];
  if (limits.length > 1 || cursors.length > 1) return invalid('limit or cursor is sent twice');
  const [limit = String(limitDefault)] = limits;
  const [cursor = null] = cursors;
  if (!/^[1-9][0-9]{0,2}$/.test(limit) || Number(limit) > limitMax) return invalid('limit is not 1 to 100');
  if (cursor !== null && !cursorText.test(cursor)) return invalid('not a cursor of ours');
  return { ok: true, value: { limit: Number(limit), after: cursor } };
}

export function invalid(reason: string) {
  return denied('payload_invalid', reason);
}
