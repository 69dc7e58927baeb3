/** Every page of the dashboard, and which of them a request is for. */
import { auditPages } from './dash-audit.ts';
import { explainPages } from './dash-explain.ts';
import { matrixPages } from './dash-matrix.ts';
import type { DashPage } from './dash-page.ts';
import { pinPages } from './dash-pins.ts';
import { sessionPages } from './dash-sessions.ts';
import { tokenChangePages } from './dash-token-change.ts';
import { tokenMakePages } from './dash-token-make.ts';
import { tokenPages } from './dash-tokens.ts';
import { matchPath, segmentsOf } from './http-route.ts';

const pages: readonly DashPage[] = [
  { method: 'GET', path: '/', scope: null, handle: async () => ({ goTo: '/tokens' }) },
  ...tokenMakePages,
  ...tokenChangePages,
  ...tokenPages,
  ...sessionPages,
  ...matrixPages,
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
