/** WebSockets through the gate, with real clients and a real server: what passes, what is refused, what is left behind. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import type { GatewayFixture } from '../fixtures/gateway.ts';
import { sendRaw } from '../fixtures/raw.ts';
import {
  acceptFor,
  bearer,
  client,
  handshakeKey,
  handshakeOf,
  oneEvent,
  opened,
  type SocketUpstream,
  settled,
  startSocketGateway,
  startSocketUpstream,
  switchingFor,
} from './socket-gateway.ts';
import { collect, dial, until } from './streaming-gateway.ts';

let upstream: SocketUpstream;
let gateway: GatewayFixture;
beforeAll(async () => {
  upstream = await startSocketUpstream();
  gateway = await startSocketGateway(upstream);
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});
afterEach(async () => {
  upstream.upgrade = null;
  upstream.http = oneEvent;
  await settled('nothing in flight', () => gateway.running.life.inFlight === 0 && upstream.open() === 0);
});

/** Sends and awaits the echo. */
async function echo(ws: WebSocket, data: string | Buffer): Promise<Buffer> {
  const answer = once(ws, 'message');
  ws.send(data);
  const [back] = await answer;
  return back;
}

async function refusal(
  path: string,
  options = {},
): Promise<{ status: number; body: string; close: boolean }> {
  const ws = client(gateway.port, path, options);
  const [, res] = await once(ws, 'unexpected-response');
  const chunks: Buffer[] = [];
  for await (const chunk of res) chunks.push(chunk);
  return {
    status: res.statusCode,
    body: Buffer.concat(chunks).toString(),
    close: res.headers.connection === 'close',
  };
}

describe('a granted WebSocket', () => {
  test('carries 1,000 messages both ways in order, and one access line tells of it', async () => {
    const { id, token } = await gateway.mint('user', { scopes: ['live:read'] });
    const ws = await opened(client(gateway.port, '/live', bearer(token)));
    const back: string[] = [];
    const all = new Promise<void>((resolve) => {
      ws.on('message', (data) => {
        if (back.push(String(data)) === 1000) resolve();
      });
    });
    for (let i = 0; i < 1000; i++) ws.send(`message ${i}`);
    await all;
    expect(back).toEqual(Array.from({ length: 1000 }, (_, i) => `message ${i}`));
    ws.close(1000);
    await once(ws, 'close');
    await settled('accounted', () =>
      gateway.lines.some(({ status, tokenId }) => status === 101 && tokenId === id),
    );
    const line = gateway.lines.find(({ tokenId }) => tokenId === id);
    expect(line).toMatchObject({ route: 'main GET /live', status: 101, tokenType: 'user', method: 'GET' });
    expect(line).not.toHaveProperty('aborted');
    expect(line).not.toHaveProperty('code');
  });

  test('carries 16 MiB each way, byte for byte', async () => {
    const ws = await opened(client(gateway.port, '/open'));
    const bytes = randomBytes(16 * 1024 * 1024);
    expect((await echo(ws, bytes)).equals(bytes)).toBe(true);
    ws.close();
    await once(ws, 'close');
  });

  test('hands on subprotocols and extensions, and tells the upstream who asks', async () => {
    const { id, token } = await gateway.mint('user', { scopes: ['live:read'] });
    const forged = { headers: { ...bearer(token).headers, 'X-Postern-Token-Id': 'tok_forged' } };
    const ws = await opened(client(gateway.port, '/live', forged, ['other', 'chat']));
    expect(ws.protocol).toBe('chat');
    expect(ws.extensions).toContain('permessage-deflate');
    const { headers } = upstream.seen.at(-1) ?? { headers: {} };
    expect(headers).toMatchObject({
      'x-postern-token-id': id,
      'sec-websocket-protocol': 'other,chat',
      upgrade: 'websocket',
      connection: 'upgrade',
    });
    expect(headers).not.toHaveProperty('authorization');
    expect(String(await echo(ws, 'compressed '.repeat(1000)))).toBe('compressed '.repeat(1000));
    ws.close();
    await once(ws, 'close');
  });

  test('may be silent for longer than the upstream’s idle time', async () => {
    const ws = await opened(client(gateway.port, '/open'));
    await new Promise((resolve) => setTimeout(resolve, 1300));
    expect(String(await echo(ws, 'still here'))).toBe('still here');
    ws.close();
    await once(ws, 'close');
  });

  test('ends for both when the upstream ends it, and no reserved name comes back', async () => {
    upstream.upgrade = (req, socket) => {
      socket.write(`${switchingFor(req, 'X-Postern-Token-Id: tok_forged\r\nX-Mine: yes\r\n')}last words`);
      socket.end();
    };
    const { text, closed } = await sendRaw(gateway.port, handshakeOf('/open'), 500);
    expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(text).toContain(`Sec-WebSocket-Accept: ${acceptFor(handshakeKey)}\r\n`);
    expect(text).toContain('X-Mine: yes\r\n');
    expect(text).not.toContain('tok_forged');
    expect(text.endsWith('\r\n\r\nlast words')).toBe(true);
    expect(closed).toBe(true);
  });

  test('lets one end go on after the other has said that it is done', async () => {
    upstream.upgrade = (req, socket) => {
      socket.write(switchingFor(req));
      socket.resume();
      socket.on('end', () => socket.end('heard the end'));
    };
    const socket = await dial(gateway.port);
    socket.write(handshakeOf('/open'));
    await until(socket, '\r\n\r\n');
    const rest = collect(socket);
    socket.end('done');
    expect(await rest).toEqual({ text: 'heard the end', clean: true });
  });

  test('is held back by an end that does not read, and loses nothing', async () => {
    const asleep = Promise.withResolvers<Duplex>();
    let heard = 0;
    upstream.upgrade = (req, socket) => {
      socket.write(switchingFor(req));
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.length;
      });
      setImmediate(() => asleep.resolve(socket.pause()));
    };
    const socket = await dial(gateway.port);
    socket.write(handshakeOf('/open'));
    await until(socket, '\r\n\r\n');
    const reader = await asleep.promise;
    const chunk = randomBytes(1024 * 1024);
    const before = process.memoryUsage();
    let sent = 0;
    const push = async (): Promise<boolean> => {
      sent += chunk.length;
      if (socket.write(chunk)) return true;
      const moved = once(socket, 'drain').then(() => true);
      return Promise.race([moved, new Promise<boolean>((resolve) => setTimeout(resolve, 250, false))]);
    };
    while (sent < 128 * 1024 * 1024 && (await push()));
    // What the kernel holds for two connections, not what a gate would hoard.
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(16 * 1024 * 1024);
    reader.resume();
    await settled('all of it arrived', () => heard === sent);
    socket.destroy();
  });

  test('counts for the limits of its row', async () => {
    const { token } = await gateway.mint('user', { scopes: ['live:read'] });
    for (let i = 0; i < 2; i++) (await opened(client(gateway.port, '/few', bearer(token)))).terminate();
    expect(await refusal('/few', bearer(token))).toMatchObject({ status: 429, close: true });
  });
});

describe('a handshake that is refused', () => {
  test('without a token is 401, and nothing reaches the upstream', async () => {
    const before = upstream.seen.length;
    const { status, text, closed } = await sendRaw(gateway.port, handshakeOf('/live'), 500);
    expect([status, closed]).toEqual([401, true]);
    expect(text).toMatch(/\r\nWWW-Authenticate: Bearer realm="main"/);
    expect(text).toMatch(/\r\nConnection: close\r\n/);
    expect(upstream.seen.length).toBe(before);
  });

  test.each([
    ['an origin that is not listed', 'https://evil.test', 403],
    ['the opaque origin', 'null', 403],
    ['the listed origin', 'https://app.test', 101],
    ['no origin, so no browser', null, 101],
  ])('a cookie with %s', async (_what, origin, status) => {
    const { token } = await gateway.mint('page');
    const fields = [`Cookie: sid=${token}`, ...(origin === null ? [] : [`Origin: ${origin}`])];
    expect((await sendRaw(gateway.port, handshakeOf('/page', fields))).status).toBe(status);
  });

  test('by the upstream is relayed like any answer, and the connection ends', async () => {
    upstream.upgrade = (_req, socket) => {
      socket.end(
        'HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nX-Postern-Token-Id: t\r\nContent-Length: 9\r\n\r\nnot today',
      );
    };
    const { status, text, closed } = await sendRaw(gateway.port, handshakeOf('/open'), 500);
    expect([status, closed]).toEqual([403, true]);
    expect(text).toMatch(/\r\nConnection: close\r\n/);
    expect(text).not.toContain('X-Postern-Token-Id');
    expect(text.endsWith('\r\n\r\nnot today')).toBe(true);
  });

  test('by an upstream that answers 200 is an answer, not a tunnel', async () => {
    upstream.upgrade = (_req, socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok',
      );
      socket.on('data', (chunk) => socket.end(chunk));
    };
    const socket = await dial(gateway.port);
    const all = collect(socket);
    socket.write(handshakeOf('/open'));
    const { text } = await all;
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).not.toMatch(/\r\nUpgrade:/i);
    expect(text.endsWith('\r\n\r\nok')).toBe(true);
  });

  test.each([
    [
      'another key’s accept',
      `Sec-WebSocket-Accept: ${acceptFor('AAAAAAAAAAAAAAAAAAAAAA==')}\r\nUpgrade: websocket\r\n`,
    ],
    ['no accept', 'Upgrade: websocket\r\n'],
    [
      'two accepts',
      `${`Sec-WebSocket-Accept: ${acceptFor(handshakeKey)}\r\n`.repeat(2)}Upgrade: websocket\r\n`,
    ],
    ['another protocol', `Sec-WebSocket-Accept: ${acceptFor(handshakeKey)}\r\nUpgrade: h2c\r\n`],
  ])('a 101 with %s is 502', async (_what, fields) => {
    upstream.upgrade = (_req, socket) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${fields}\r\nsecret`);
    };
    const { status, text, closed } = await sendRaw(gateway.port, handshakeOf('/open'), 500);
    expect([status, closed]).toEqual([502, true]);
    expect(text).toContain('"code":"upstream_protocol_error"');
    expect(text).not.toContain('secret');
  });

  test.each([
    ['that is away', '/away', 502, 'upstream_unreachable'],
    ['that is silent', '/open', 504, 'upstream_timeout'],
  ])('before an upstream %s', async (_what, path, status, code) => {
    upstream.upgrade = () => {};
    const answer = await refusal(path);
    expect([answer.status, JSON.parse(answer.body).code, answer.close]).toEqual([status, code, true]);
  });
});

describe('bytes that did not wait', () => {
  test.each(['/open', '/live'])(
    'in one piece with the handshake to %s end the connection, and reach nobody',
    async (path) => {
      const before = upstream.seen.length;
      const { status, closed } = await sendRaw(
        gateway.port,
        `${handshakeOf(path)}GET /events HTTP/1.1\r\n\r\n`,
        500,
      );
      expect([status, closed]).toEqual([400, true]);
      expect(upstream.seen.length).toBe(before);
    },
  );

  test('behind the handshake, before its answer, end it as well', async () => {
    let heard = '';
    const seen = new Promise<void>((resolve) => {
      upstream.upgrade = (_req, socket) => {
        socket.on('data', (chunk) => {
          heard += chunk;
        });
        resolve();
      };
    });
    const socket = await dial(gateway.port);
    const all = collect(socket);
    socket.write(handshakeOf('/open'));
    await seen;
    socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    const { text } = await all;
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text.split('HTTP/1.1 ').length).toBe(2);
    expect(heard).toBe('');
  });
});

describe('a caller who goes without a word', () => {
  test('before the upstream answers leaves nothing behind', async () => {
    const seen = new Promise<void>((resolve) => {
      upstream.upgrade = () => resolve();
    });
    const socket = await dial(gateway.port);
    socket.write(handshakeOf('/open'));
    await seen;
    socket.resetAndDestroy();
    await settled('gone', () => gateway.running.life.inFlight === 0 && upstream.open() === 0);
  });

  test('200 times, in every phase, leaves nothing behind, and others are served', async () => {
    const { token } = await gateway.mint('user', { scopes: ['live:read'] });
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const socket = await dial(gateway.port);
        socket.write(handshakeOf('/live', [`Authorization: Bearer ${token}`]));
        const phase = i % 4;
        if (phase === 1) await new Promise((resolve) => setImmediate(resolve));
        if (phase >= 2) await until(socket, '\r\n\r\n');
        if (phase === 3) socket.write(randomBytes(64 * 1024));
        socket.resetAndDestroy();
      }),
    );
    await settled('gone', () => gateway.running.life.inFlight === 0 && upstream.open() === 0);
    const ws = await opened(client(gateway.port, '/live', bearer(token)));
    expect(String(await echo(ws, 'fine'))).toBe('fine');
    ws.terminate();
  });

  test('the upstream that goes takes the caller along, without a closing handshake', async () => {
    const ws = await opened(client(gateway.port, '/open'));
    upstream.seen.at(-1)?.socket.resetAndDestroy();
    expect((await once(ws, 'close'))[0]).toBe(1006);
  });
});
