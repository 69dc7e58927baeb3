/** Which browser origins a row's answers may be shown to (Fetch standard, CORS protocol). */
import { denied } from './denial.ts';
import { normaliseOrigin } from './origin.ts';
import type { Cors, Outcome, RowSet } from './types.ts';

/** The origin to echo; null: this origin gets no CORS fields. `null` never matches. */
export function allowedOrigin(cors: Cors, origin: string): string | null {
  const normal = normaliseOrigin(origin);
  if (normal === null || normal !== origin) return null;
  return cors.origins === 'any' || cors.origins.includes(normal) ? normal : null;
}

export type Preflight = { readonly cors: Cors; readonly origin: string };

/**
 * Answers a preflight from the rows that the path leads to: the row of the requested method if it
 * has `cors`, else the best row that has. null: none has, so the request is judged like any other.
 */
export function judgePreflight(rows: RowSet, origin: string, method: string): Outcome<Preflight> | null {
  const asked = method === 'HEAD' ? 'GET' : method;
  const best = rows.find(({ route }) => route.method === asked);
  const match = best?.route.cors ? best : rows.find(({ route }) => route.cors !== null);
  const cors = match?.route.cors;
  if (match === undefined || !cors) return null;
  const echo = allowedOrigin(cors, origin);
  if (echo === null) {
    return denied('cors_origin_not_allowed', `cors ${cors.name} does not list this origin`, {
      route: match.route,
    });
  }
  return { ok: true, value: { cors, origin: echo } };
}
