/** A gateway before an upstream that speaks WebSocket, in this process; and its callers. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';

export type SocketUpstream = {
  readonly url: string;
  /** Handshakes that reached it. */
  readonly seen: IncomingMessage[];
  /** Replaces the handshake. */
  upgrade: ((req: IncomingMessage, socket: Duplex) => void) | null;
  /** What answers everything else; default: an endless event stream. */
  http: (req: IncomingMessage, res: ServerResponse) => void;
  /** Connections that were upgraded and are open. */
  readonly open: () => number;
  readonly stop: () => Promise<void>;
};

export const oneEvent = (_req: IncomingMessage, res: ServerResponse): void => {
  res.writeHead(200, { 'Content-Type': 'text/event-stream' });
  res.write('data: first\n\n');
};

/** Echoes messages, and takes the subprotocol `chat` where it is offered. */
export async function startSocketUpstream(): Promise<SocketUpstream> {
  const seen: IncomingMessage[] = [];
  const sockets = new Set<Duplex>();
  const fixture: Pick<SocketUpstream, 'upgrade' | 'http'> = { upgrade: null, http: oneEvent };
  const echo = new WebSocketServer({
    noServer: true,
    maxPayload: 64 * 1024 * 1024,
    perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has('chat') ? 'chat' : false),
  });
  const server = createServer((req, res) => fixture.http(req, res));
  server.on('upgrade', (req, socket, head) => {
    seen.push(req);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    if (fixture.upgrade !== null) {
      fixture.upgrade(req, socket);
      socket.on('end', () => socket.end());
      socket.resume();
    } else
      echo.handleUpgrade(req, socket, head, (ws) => {
        ws.on('error', () => {});
        ws.on('message', (data, binary) => ws.send(data, { binary }));
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(fixture, {
    url: `http://127.0.0.1:${port}`,
    seen,
    open: () => sockets.size,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  });
}

/** @param patience with the upstream, in each phase: short where its end is what is looked at. */
export const socketConfig = (upstream: string, patience: '1s' | '60s'): string => `
upstreams:
  app: { url: ${upstream}, timeout: { connect: ${patience}, first_byte: ${patience}, idle: ${patience} } }
  nobody: { url: http://127.0.0.1:1 }
token_types:
  user: { prefix: usr_, grantable: [live:read] }
  page: { prefix: pag_, sources: [cookie:sid], scopes: [live:read] }
scopes:
  live:read: Read what is new
cors:
  site: { origins: [https://app.test], credentials: true }
limits:
  few: { rate: 2/1h, per: [token] }
identity:
  headers: { X-Postern-Token-Id: token.id }
apis:
  main:
    to: app
    types: [user]
    routes:
      GET /live: { allow: { user: live:read }, websocket: true }
      GET /few: { allow: { user: live:read }, websocket: true, limits: [few] }
      GET /open: { allow: public, websocket: true }
      GET /away: { allow: public, websocket: true, to: nobody }
      GET /plain: { allow: public }
      GET /events: { allow: { user: live:read } }
      POST /events: { allow: { user: live:read }, body: { max: none } }
  pages:
    to: app
    types: [page]
    cors: site
    routes:
      GET /page: { allow: { page: live:read }, websocket: true }
`;

export function startSocketGateway(
  upstream: SocketUpstream,
  patience: '1s' | '60s' = '1s',
): Promise<GatewayFixture> {
  return startTestGateway(socketConfig(upstream.url, patience));
}

/** A client's handshake through the gateway. */
export function client(port: number, path: string, options: ClientOptions = {}, protocols: string[] = []) {
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, {
    maxPayload: 64 * 1024 * 1024,
    ...options,
  });
  ws.on('error', () => {});
  return ws;
}

export const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

export async function opened(ws: WebSocket): Promise<WebSocket> {
  if (ws.readyState !== WebSocket.OPEN) {
    await Promise.race([
      once(ws, 'open'),
      once(ws, 'close').then(([code]) => {
        throw new Error(`closed with ${code} before it was open`);
      }),
    ]);
  }
  return ws;
}

export const handshakeKey = 'dGhlIHNhbXBsZSBub25jZQ==';

/** A handshake in bytes; `fields` after those that every handshake has, which `without` takes out. */
export function handshakeOf(
  path: string,
  fields: readonly string[] = [],
  without: readonly string[] = [],
): string {
  const own = [
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${handshakeKey}`,
  ].filter((field) => !without.some((name) => field.startsWith(`${name}:`)));
  return `GET ${path} HTTP/1.1\r\n${[...own, ...fields].map((field) => `${field}\r\n`).join('')}\r\n`;
}

/** RFC 6455 §4.2.2, written down a second time. */
export const acceptFor = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** A proper 101 in bytes. */
export const switchingFor = ({ headers }: IncomingMessage, more = ''): string =>
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  `Sec-WebSocket-Accept: ${acceptFor(headers['sec-websocket-key'] ?? '')}\r\n${more}\r\n`;

/** Awaits what no event of this process tells. */
export async function settled(what: string, isSo: () => boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
