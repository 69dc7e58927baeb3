/** What a `websocket: true` row may be combined with. */
import { type Compilation, errorInKey, isBroken } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';
import type { Route } from './types.ts';

export function checkWebsocket(at: Compilation, path: ConfigPath, row: RowConfig, route: Route): void {
  if (!row.websocket) return;
  const where = [...path, 'websocket'];
  if (route.method !== 'GET') {
    errorInKey(
      at,
      where,
      'websocket is for GET rows',
      'remove it, or write the row with GET (RFC 6455 §4.1)',
    );
  }
  if (row.body !== undefined) {
    errorInKey(at, [...path, 'body'], 'a websocket row has no body', 'remove body, or remove websocket');
  }
  checkCookie(at, where, row, route);
}

/**
 * A browser sends its cookies with a handshake that any page starts, and asks nobody before: only a list of
 * origins tells those pages apart. What a token itself is pinned to is unknown here, so it does not count.
 */
function checkCookie(at: Compilation, where: ConfigPath, row: RowConfig, route: Route): void {
  const cookie = route.sources.find(({ kind }) => kind === 'cookie');
  if (route.access === 'public' || cookie === undefined || cookie.kind !== 'cookie') return;
  if (route.cors !== null && route.cors.origins !== 'any') return;
  // One that only watches keeps no page out.
  if (route.originList !== undefined && route.originList.monitorUntil === undefined) return;
  const block = row.cors ?? at.config.apis[route.api]?.cors;
  // A block that is missing or broken has been reported where it stands.
  if (block !== undefined && block !== 'off') {
    if (!Object.hasOwn(at.config.cors, block) || isBroken(at, 'cors', block)) return;
  }
  const hint =
    'name a cors block with a list of origins or an origin pin with allow here, or move the row to an api whose types read no cookie';
  errorInKey(at, where, `any page could open this socket with the visitor's cookie "${cookie.name}"`, hint);
}
