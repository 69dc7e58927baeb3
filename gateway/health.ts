/** The health listener: /livez, /readyz and /metrics. No operation lives here. */
import { Hono } from 'hono';
import type { Metrics } from './metrics.ts';

/** null: fine; otherwise what is wrong, for an operator. */
export type Readiness = {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly reason: string | null }>>;
  readonly config: string;
};

export function healthApp(readiness: () => Readiness, metrics: Metrics): Hono {
  const app = new Hono();
  app.get('/livez', (c) => c.json({ live: true }));
  app.get('/readyz', (c) => {
    const state = readiness();
    return c.json(state, state.ready ? 200 : 503);
  });
  app.get('/metrics', async (c) =>
    c.text(await metrics.text(), 200, { 'Content-Type': metrics.contentType }),
  );
  return app;
}
