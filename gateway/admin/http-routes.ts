/** Every route of the admin API, and which of them a request is for. */

import { alertRoutes } from './http-alerts.ts';
import { configRoutes } from './http-config.ts';
import { pinRoutes } from './http-pins.ts';
import { probeRoutes } from './http-probes.ts';
import { reloadRoutes } from './http-reload.ts';
import { type AdminRoute, matchPath, segmentsOf } from './http-route.ts';
import { tailRoutes } from './http-tail.ts';
import { tokenTextRoutes } from './http-token-text.ts';
import { tokenRoutes } from './http-tokens.ts';
import { upkeepRoutes } from './http-upkeep.ts';
import { usageRoutes } from './http-usage.ts';

/** Open to whoever reaches the listener: it says nothing of this config, and is the same for everybody. */
export const documentPath = '/v1/openapi.json';

export const adminRoutes: readonly AdminRoute[] = [
  ...tokenRoutes,
  ...tokenTextRoutes,
  ...pinRoutes,
  ...probeRoutes,
  ...alertRoutes,
  ...configRoutes,
  ...reloadRoutes,
  ...usageRoutes,
  ...tailRoutes,
  ...upkeepRoutes,
];

export type Found =
  | { readonly kind: 'found'; readonly route: AdminRoute; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'wrong_method'; readonly allow: readonly string[] }
  | { readonly kind: 'nothing' };

/** @param path as it stood on the wire, without query. */
export function findRoute(method: string, path: string): Found {
  const segments = segmentsOf(path);
  const allow = new Set<string>();
  for (const route of adminRoutes) {
    const params = matchPath(route.path, segments);
    if (params === null) continue;
    if (route.method === method) return { kind: 'found', route, params };
    allow.add(route.method);
  }
  return allow.size === 0 ? { kind: 'nothing' } : { kind: 'wrong_method', allow: [...allow].sort() };
}
