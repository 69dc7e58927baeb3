/**
 * Whether a request that changes something was meant by whoever holds the cookie: browsers send
 * cookies unasked, but another site cannot read the token's attribute, nor set a header of its own.
 */
import { denial } from '../denial.ts';
import type { Denial } from '../types.ts';
import type { Question } from './question.ts';

/** RFC 9110 §9.2.1, less TRACE, which never gets this far. */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

/** No row opts out. What was not presented by cookie was put there on purpose. */
export function checkCsrf({ facts, token, type, presented }: Question): Denial | null {
  const { csrf } = type;
  if (csrf === undefined || presented.source.kind !== 'cookie' || isSafe(facts.method)) return null;
  const [value, second] = presented.csrf;
  if (value === undefined) return denial('csrf_invalid', `${csrf.header} is not sent`);
  if (second !== undefined) return denial('csrf_invalid', `${csrf.header} is sent twice`);
  const own = token.attributes.get(csrf.attribute);
  if (typeof own === 'string' && own !== '' && sameText(value, own)) return null;
  return denial('csrf_invalid', `${csrf.header} is not the token's ${csrf.attribute}`);
}

/** Takes as long for any `presented` of one length, however much of it is right. `own` is not empty. */
function sameText(presented: string, own: string): boolean {
  let difference = presented.length ^ own.length;
  for (let i = 0; i < presented.length; i++) {
    difference |= presented.charCodeAt(i) ^ own.charCodeAt(i % own.length);
  }
  return difference === 0;
}
