/** Listening and closing, as promises. */
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Address } from './config/address.ts';
import { formatAddress } from './config/address.ts';
import { healthApp, type Readiness } from './health.ts';
import type { Metrics } from './metrics.ts';

/** @throws what node says, with the address in it. */
export function listenOn(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

export function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return `http://${formatAddress({ host: address.address, port: address.port })}`;
}

export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export function healthListener(readiness: () => Readiness, metrics: Metrics): Server {
  const { fetch } = healthApp(readiness, metrics);
  const server = createServer(getRequestListener(fetch, { overrideGlobalObjects: false }));
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;
  return server;
}
