/** The admin listener: a server of its own. Nothing that comes in on the data listener gets here. */
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { DashParts } from './dash-app.ts';
import { adminApp } from './http-app.ts';

const headerBytesMax = 16 * 1024;

/** Not listening yet. */
export function adminServer(parts: Omit<DashParts, 'port'>): Server {
  const app = adminApp({ ...parts, port: () => portOf(server) });
  const listener = getRequestListener((request, env) => app.fetch(request, env), {
    overrideGlobalObjects: false,
  });
  const server = createServer({ maxHeaderSize: headerBytesMax }, (req, res) => void listener(req, res));
  server.headersTimeout = 5000;
  server.requestTimeout = 10_000;
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const closeMs = 2000;

/** Lets what is under way finish for a moment, then cuts it. */
export async function closeAdmin(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const patience = setTimeout(() => server.closeAllConnections(), closeMs);
  await closed;
  clearTimeout(patience);
}
