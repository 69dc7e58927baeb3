/** A handshake that the upstream answers as any request: the answer passes whole, however long it is. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { startTestGateway } from '../fixtures/gateway.ts';
import { handshakeOf } from './socket-gateway.ts';
import { dial } from './streaming-gateway.ts';

test('an answer of 16 MiB instead of a 101 arrives whole', async () => {
  const part = Buffer.alloc(64 * 1024, 'a');
  const upstream = createServer({ shouldUpgradeCallback: () => false }, async (_req, res) => {
    for (let i = 0; i < 256; i++) if (!res.write(part)) await once(res, 'drain');
    res.end();
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo;
  const gate = await startTestGateway(`
upstreams: { app: { url: "http://127.0.0.1:${port}", timeout: { idle: 1s } } }
apis: { main: { to: app, routes: { GET /live: { allow: public, websocket: true } } } }
`);
  const socket = await dial(gate.port);
  let bytes = 0;
  let tail = '';
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    tail = (tail + chunk.toString('latin1')).slice(-7);
  });
  socket.write(handshakeOf('/live'));
  await once(socket, 'close');
  await gate.stop();
  upstream.closeAllConnections();
  upstream.close();
  expect(bytes).toBeGreaterThan(16 * 1024 * 1024);
  expect(tail).toBe('\r\n0\r\n\r\n');
});
