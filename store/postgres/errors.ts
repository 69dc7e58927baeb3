/** What an error of pg says: the server's answer, or that there was none. */
import { StoreUnreachable } from '../fault.ts';

/**
 * Classes of SQLSTATE by which a server says that it cannot serve now: connection (08), not authorised to
 * connect (28), out of resources (53), ended by an operator or a timeout (57), system error (58).
 */
const NO_ANSWER = /^(?:08|28|53|57|58)/;

export function isNoAnswer(error: unknown): boolean {
  if (error instanceof StoreUnreachable) return true;
  // A mistake of ours is no outage.
  if (error instanceof TypeError || error instanceof RangeError) return false;
  const code = codeOf(error);
  return /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? NO_ANSWER.test(code) : true;
}

/** SQLSTATE, node's own code, or ''. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** For operators. Neither pg nor node puts a password into it. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
