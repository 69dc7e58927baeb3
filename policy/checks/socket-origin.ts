/**
 * From which pages a WebSocket row may be used. Browsers send no preflight before a handshake and let every
 * page read what comes back (RFC 6455 §10.2), so the row's list is enforced here and not by them.
 */
import { allowedOrigin } from '../cors.ts';
import { denial } from '../denial.ts';
import type { Denial } from '../types.ts';
import type { Question } from './question.ts';

/** Without an Origin it is no browser (RFC 6455 §4.1), and no page can be behind it. */
export function checkSocketOrigin({ match, facts }: Pick<Question, 'match' | 'facts'>): Denial | null {
  const { websocket, cors } = match.route;
  if (!websocket || cors === null || cors.origins === 'any' || facts.origin === null) return null;
  if (allowedOrigin(cors, facts.origin) !== null) return null;
  return denial('origin_not_allowed', `cors ${cors.name} does not list this origin`);
}
