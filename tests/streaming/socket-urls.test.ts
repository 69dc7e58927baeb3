/** WebSockets on an upstream of several urls: one of them that is down must not draw every handshake. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { freePort } from '../fixtures/free-port.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { client, opened, type SocketUpstream, settled, startSocketUpstream } from './socket-gateway.ts';

let upstream: SocketUpstream;
beforeAll(async () => {
  upstream = await startSocketUpstream();
});
afterAll(() => upstream.stop());

const configFor = (other: string) => `
upstreams: { app: { url: ["${other}", "${upstream.url}"] } }
apis: { main: { to: app, routes: { GET /live: { allow: public, websocket: true } } } }
`;

/** How many of so many handshakes, one after the other and none of them closed, are granted. */
async function openMany(port: number, count: number): Promise<WebSocket[]> {
  const open: WebSocket[] = [];
  for (let i = 0; i < count; i++) {
    await opened(client(port, '/live')).then(
      (ws) => open.push(ws),
      () => {},
    );
  }
  return open;
}

test('where a url refuses connections, the other takes the handshake, and the first is left out', async () => {
  const port = await freePort();
  const gate = await startTestGateway(configFor(`http://127.0.0.1:${port}`));
  const open = await openMany(gate.port, 12);
  for (const ws of open) ws.terminate();
  await settled('all over', () => gate.running.life.inFlight === 0);
  await gate.stop();
  expect(open).toHaveLength(12);
  expect(gate.lines.filter(({ event }) => event === 'upstream_down')).toHaveLength(1);
});

test('a url that hangs up on handshakes is left out after three, and saw each of them once', async () => {
  let seen = 0;
  const rude = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      seen++;
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(rude, 'listening');
  const gate = await startTestGateway(configFor(`http://127.0.0.1:${(rude.address() as AddressInfo).port}`));
  const open = await openMany(gate.port, 12);
  for (const ws of open) ws.terminate();
  await settled('all over', () => gate.running.life.inFlight === 0);
  await gate.stop();
  rude.close();
  expect(seen).toBe(3);
  expect(open).toHaveLength(9);
});
