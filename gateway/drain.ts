/** Leaving without failing anyone: announce, stop accepting, let requests finish, cut what streams on. */
import type { Server } from 'node:http';
import type { Logger } from 'pino';
import type { Life } from './life.ts';
import { closeUpgraded } from './upgrade.ts';

export type Drain = {
  readonly server: Server;
  readonly life: Life;
  readonly times: { readonly announceMs: number; readonly requestsMs: number; readonly streamsMs: number };
  readonly log: Logger;
};

/**
 * `announceMs`: /readyz says 503 and every answer closes its connection, while all is served, so that
 * a balancer turns away. Then the listener closes; a request that still comes in on an open
 * connection gets 503 `draining`. Requests have `requestsMs`, what streams on `streamsMs` more.
 */
export async function drain({ server, life, times, log }: Drain): Promise<void> {
  life.phase = 'announcing';
  await new Promise((resolve) => setTimeout(resolve, times.announceMs));
  life.phase = 'closing';
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const finished = (await life.whenIdle(times.requestsMs)) || (await life.whenIdle(times.streamsMs));
  if (!finished) log.warn({ event: 'drain_cut', inFlight: life.inFlight });
  // An ended answer may still be on its way out of the socket.
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100))]);
  server.closeAllConnections();
  closeUpgraded(server);
  await closed;
  // What was cut still has to be accounted for.
  await life.whenIdle(100);
}
