/** Every page of the dashboard, and which of them a request is for. */
import { alertPages } from './dash-alerts.ts';
import { auditPages } from './dash-audit.ts';
import { explainPages } from './dash-explain.ts';
import { homePages } from './dash-home.ts';
import { livePages } from './dash-live.ts';
import { matrixPages } from './dash-matrix.ts';
import type { DashPage } from './dash-page.ts';
import { pinPages } from './dash-pins.ts';
import { reloadPages } from './dash-reload.ts';
import { sessionPages } from './dash-sessions.ts';
import { tokenChangePages } from './dash-token-change.ts';
import { tokenMakePages } from './dash-token-make.ts';
import { tokenPages } from './dash-tokens.ts';
import { usagePages } from './dash-usage.ts';
import { matchPath, segmentsOf } from './http-route.ts';

const pages: readonly DashPage[] = [
  ...homePages,
  ...tokenMakePages,
  ...tokenChangePages,
  ...tokenPages,
  ...sessionPages,
  ...usagePages,
  ...livePages,
  ...alertPages,
  ...matrixPages,
  ...reloadPages,
  ...explainPages,
  ...pinPages,
  ...auditPages,
];

export type FoundPage =
  | { readonly kind: 'found'; readonly page: DashPage; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'wrong_method'; readonly allow: readonly string[] }
  | { readonly kind: 'nothing' };

/** @param path as it stood on the wire, without query. */
export function findPage(method: string, path: string): FoundPage {
  const segments = segmentsOf(path);
  const allow = new Set<string>();
  for (const page of pages) {
    const params = matchPath(page.path, segments);
    if (params === null) continue;
    if (page.method === method) return { kind: 'found', page, params };
    allow.add(page.method);
  }
  return allow.size === 0 ? { kind: 'nothing' } : { kind: 'wrong_method', allow: [...allow].sort() };
}
