/** Listening and closing, as promises. */
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Address } from './config/address.ts';
import { formatAddress } from './config/address.ts';
import { healthApp, type Readiness } from './health.ts';
import type { Metrics } from './metrics.ts';

/** @throws Error with the address in it, and what to do. */
export function listenOn(server: Server, address: Address): Promise<void> {
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(inWords(error, address));
    server.once('error', fail);
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already: end it, or choose another port; 0 is any free one',
  EACCES: 'this user may not: choose a port from 1024 on',
  EADDRNOTAVAIL: 'this host has no such address: choose 127.0.0.1, 0.0.0.0 or one of its own',
  ENOTFOUND: 'no host is called so: choose 127.0.0.1, 0.0.0.0 or an address of this host',
};

function inWords(error: Error & { readonly code?: string }, address: Address): Error {
  const remedy = remedies[error.code ?? ''];
  if (remedy === undefined) return error;
  return new Error(`cannot listen on ${formatAddress(address)} (${error.code}); ${remedy}`, { cause: error });
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
