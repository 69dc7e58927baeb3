/** What stands in the dashboard's navigation, in its order. */
import type { AdminScope } from '../../policy/admin-type.ts';

export type Section = {
  readonly path: string;
  readonly title: string;
  /** Whoever lacks it does not see it. null: everybody. */
  readonly scope: AdminScope | null;
};

export const sections: readonly Section[] = [
  { path: '/tokens', title: 'Tokens', scope: 'tokens:read' },
  { path: '/matrix', title: 'Matrix', scope: 'config:read' },
  { path: '/explain', title: 'Explain', scope: 'config:read' },
  { path: '/pins', title: 'Pins', scope: 'pins:read' },
  { path: '/audit', title: 'Audit', scope: 'audit:read' },
  { path: '/sessions', title: 'Sessions', scope: null },
];
