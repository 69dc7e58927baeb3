/** Upgrades nobody granted: an ordinary request, the last on its connection, and nothing behind it is one. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { GatewayFixture } from '../fixtures/gateway.ts';
import { sendRaw } from '../fixtures/raw.ts';
import {
  handshakeOf,
  type SocketUpstream,
  settled,
  startSocketGateway,
  startSocketUpstream,
} from '../streaming/socket-gateway.ts';

let upstream: SocketUpstream;
let gateway: GatewayFixture;
let answered: string[] = [];
beforeAll(async () => {
  upstream = await startSocketUpstream();
  upstream.http = (req, res) => {
    answered.push(`${req.method} ${req.url} ${req.headers.upgrade ?? '-'}`);
    res.end(`answer to ${req.url}`);
  };
  gateway = await startSocketGateway(upstream);
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});
beforeEach(() => {
  answered = [];
});

const smuggled = 'GET /plain?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';

test.each([
  ['a handshake on a row without websocket', handshakeOf('/plain')],
  [
    'h2c on a row with websocket',
    handshakeOf('/open', ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAA'], ['Upgrade']),
  ],
  ['h2c beside websocket', handshakeOf('/open', ['Upgrade: h2c'])],
  ['a handshake with a body', handshakeOf('/open', [`Content-Length: ${smuggled.length}`])],
  [
    'a handshake of another version',
    handshakeOf('/open', ['Sec-WebSocket-Version: 12'], ['Sec-WebSocket-Version']),
  ],
  ['a handshake that nominates', handshakeOf('/open', ['Connection: Upgrade, X-A'], ['Connection'])],
  ['a handshake by HTTP/1.0', handshakeOf('/open').replace('HTTP/1.1', 'HTTP/1.0')],
])('%s is answered once, and what follows is no request', async (_what, bytes) => {
  const { status, text, closed } = await sendRaw(gateway.port, bytes + smuggled, 500);
  expect([status, closed]).toEqual([200, true]);
  expect(text.split('HTTP/1.1 ').length).toBe(2);
  expect(text).toMatch(/\r\nConnection: close\r\n/);
  expect(answered.length).toBe(1);
  expect(answered[0]).toMatch(/^GET \/(?:open|plain) -$/);
  expect(upstream.seen).toEqual([]);
});

test('a handshake behind a request that is still answered is an ordinary request, answered after it', async () => {
  const first = 'GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const { text, closed } = await sendRaw(gateway.port, first + handshakeOf('/open') + smuggled, 500);
  expect(text.match(/answer to \/[a-z]+/g)).toEqual(['answer to /plain', 'answer to /open']);
  expect(closed).toBe(true);
  expect(answered.sort()).toEqual(['GET /open -', 'GET /plain -']);
  expect(upstream.seen).toEqual([]);
});

test('a handshake behind the last request of a connection is nothing at all', async () => {
  const { text } = await sendRaw(gateway.port, handshakeOf('/plain') + handshakeOf('/open'), 500);
  expect(text.split('HTTP/1.1 ').length).toBe(2);
  expect(upstream.seen).toEqual([]);
});

test('a handshake on a connection that was used before is granted', async () => {
  await settled('idle', () => gateway.running.life.inFlight === 0);
  const ws = handshakeOf('/open');
  const { createConnection } = await import('node:net');
  const socket = createConnection({ port: gateway.port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.write('GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await settled('answered', () => text.includes('answer to /plain'));
  socket.write(ws);
  await settled('upgraded', () => text.includes(' 101 '));
  socket.destroy();
  await settled('idle', () => gateway.running.life.inFlight === 0);
});
