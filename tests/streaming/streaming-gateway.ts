/**
 * A gateway in a process of its own before three upstreams: one that is scripted, one of bare sockets, one that is not
 * there. The first two are called by undici as well, as /undici/http/... and /undici/raw/....
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createSocketServer, type Socket } from 'node:net';
import {
  type ConfigFile,
  configFile,
  eventually,
  metricOf,
  type PosternProcess,
  startPostern,
} from '../fixtures/process.ts';

export type StreamingGateway = {
  readonly port: number;
  readonly pid: number;
  readonly process: PosternProcess;
  /** What answers `/http/...`. */
  http: (req: IncomingMessage, res: ServerResponse) => void;
  /** What answers `/raw/...`: called once per connection. */
  raw: (socket: Socket) => void;
  /** Resolves when the gateway handles nothing any more; fails if it does not come to that. */
  readonly idle: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** `timeout` is the block of both upstreams. */
export async function startStreaming(
  timeout = '{ connect: 1s, first_byte: 10s, idle: 60s }',
): Promise<StreamingGateway> {
  const handlers: Pick<StreamingGateway, 'http' | 'raw'> = {
    http: (_req, res) => void res.end(),
    raw: (socket) => void socket.destroy(),
  };
  const http = createServer({ requestTimeout: 0 }, (req, res) => handlers.http(req, res));
  http.on('checkContinue', (req, res) => handlers.http(req, res));
  const sockets = new Set<Socket>();
  const raw = createSocketServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    handlers.raw(socket);
  });
  const [httpPort, rawPort] = [await listening(http), await listening(raw)];
  const file: ConfigFile = configFile(configOf({ httpPort, rawPort, timeout }));
  const child = await startPostern(file.path);
  const stop = async (): Promise<void> => {
    await child.kill();
    file.remove();
    http.close();
    http.closeAllConnections();
    raw.close();
    for (const socket of sockets) socket.destroy();
  };
  const idle = () =>
    eventually('nothing in flight', async () => (await metricOf(child.health, 'postern_in_flight')) === 0);
  return Object.assign(handlers, { port: child.port, pid: child.pid, process: child, idle, stop });
}

type Places = { readonly httpPort: number; readonly rawPort: number; readonly timeout: string };

function configOf({ httpPort, rawPort, timeout }: Places): string {
  return `
upstreams:
  http: { url: http://127.0.0.1:${httpPort}, timeout: ${timeout} }
  raw: { url: http://127.0.0.1:${rawPort}, timeout: ${timeout} }
  http-undici: { url: http://127.0.0.1:${httpPort}, timeout: ${timeout}, client: undici }
  raw-undici: { url: http://127.0.0.1:${rawPort}, timeout: ${timeout}, client: undici }
  nobody: { url: http://127.0.0.1:1, timeout: ${timeout} }
token_types:
  user: { prefix: u_, grantable: [a] }
scopes:
  a: Anything
apis:
  streams:
    to: http
    routes:
      GET /http/{rest...}: { allow: public }
      POST /http/{rest...}: { allow: public, body: { max: none } }
      POST /capped/{rest...}: { allow: public, body: { max: 64KiB } }
      GET /raw/{rest...}: { allow: public, to: raw }
      POST /raw/{rest...}: { allow: public, to: raw, body: { max: none } }
      GET /undici/http/{rest...}: { allow: public, to: http-undici }
      GET /undici/raw/{rest...}: { allow: public, to: raw-undici }
      GET /nobody: { allow: public, to: nobody }
      POST /private: { allow: { user: a } }
`;
}

async function listening(server: { listen(port: number, host: string): unknown; address(): unknown }) {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1');
    const wait = () => (server.address() === null ? setImmediate(wait) : resolve());
    wait();
  });
  return (server.address() as AddressInfo).port;
}

/** A connection to the gateway, under the test's hand. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

export const getOf = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

export const postOf = (path: string, ...fields: readonly string[]): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;

/** Everything the peer sends until it closes, and whether it closed cleanly. */
export function collect(socket: Socket): Promise<{ text: string; clean: boolean }> {
  return new Promise((resolve) => {
    let text = '';
    let clean = false;
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('end', () => {
      clean = true;
    });
    socket.on('close', () => resolve({ text, clean }));
  });
}

/** Resolves with what has come once it holds `part`. @throws Error if the connection ends before. */
export function until(socket: Socket, part: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (!text.includes(part)) return;
      socket.off('data', read);
      resolve(text);
    };
    socket.on('data', read);
    socket.once('close', () => reject(new Error(`ended before ${JSON.stringify(part)}: ${text}`)));
  });
}
