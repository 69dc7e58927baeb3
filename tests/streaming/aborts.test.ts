/** Who leaves takes the other side along; what broke off never looks whole; nothing is left behind. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import { residentBytes } from '../fixtures/process.ts';
import { chanceOf } from '../fixtures/random.ts';
import { again } from '../support/busy.ts';
import {
  collect,
  dial,
  getOf,
  postOf,
  type StreamingGateway,
  startStreaming,
  until,
} from './streaming-gateway.ts';

const MiB = 1024 * 1024;

let gateway: StreamingGateway;
beforeAll(async () => {
  gateway = await startStreaming();
});
afterAll(() => gateway.stop());
afterEach(() => gateway.idle());

test.each([
  ['before the answer', getOf('/http/x'), false],
  ['in the middle of the answer', getOf('/http/x'), true],
  ['before the answer of undici', getOf('/undici/http/x'), false],
  ['in the middle of the answer of undici', getOf('/undici/http/x'), true],
  ['in the middle of its body', `${postOf('/http/x', 'Content-Length: 1000')}half`, false],
  [
    'in the middle of a chunked body',
    `${postOf('/http/x', 'Transfer-Encoding: chunked')}4\r\nhalf\r\n`,
    true,
  ],
])(
  'a client that leaves %s ends the upstream request within 200 ms',
  again,
  async (_when, request, answers) => {
    const gone = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    gateway.http = (req, res) => {
      req.on('error', () => {});
      req.socket.once('close', () => gone.resolve());
      if (answers) res.write('half');
      arrived.resolve();
    };
    const socket = await dial(gateway.port);
    socket.write(request);
    await arrived.promise;
    if (answers) await until(socket, 'half');
    const leftMs = performance.now();
    socket.destroy();
    await gone.promise;
    expect(performance.now() - leftMs).toBeLessThan(200);
  },
);

describe('an upstream that breaks off in the middle of its answer', () => {
  const framings = [
    ['of known length', 'Content-Length: 1000\r\n\r\nhalf of it'],
    ['of a large known length', `Content-Length: ${MiB}\r\n\r\nhalf of it`],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\na\r\nhalf of it\r\n'],
    ['chunked, in the middle of a chunk', 'Transfer-Encoding: chunked\r\n\r\nff\r\nhalf of it'],
    ['until it closes', '\r\nhalf of it'],
  ] as const;

  const either = (all: readonly (readonly [string, string])[]) =>
    all.flatMap(([name, rest]) => [
      [name, rest, ''],
      [`${name}, through undici`, rest, '/undici'],
    ]);

  test.each(either(framings))(
    '%s, by a reset: the client never sees a clean end',
    async (_name, rest, way) => {
      gateway.raw = (socket) =>
        void socket.once('data', async () => {
          socket.write(`HTTP/1.1 200 OK\r\n${rest}`);
          await sleep(30);
          socket.resetAndDestroy();
        });
      const text = await cutAnswer(`${way}/raw/x`);
      expect(text).not.toContain('0\r\n\r\n');
    },
  );

  test.each(either(framings.slice(0, 4)))(
    '%s, by closing early: the client never sees a clean end',
    async (_name, rest, way) => {
      gateway.raw = (socket) => void socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${rest}`));
      const text = await cutAnswer(`${way}/raw/x`);
      expect(text).not.toContain('0\r\n\r\n');
    },
  );

  /** The answer of a request that must end without being whole: a 502, or a connection cut in its body. */
  async function cutAnswer(path: string): Promise<string> {
    const socket = await dial(gateway.port);
    const answer = collect(socket);
    socket.write(getOf(path));
    // A whole answer leaves the connection open: then ask for its end.
    const patience = setTimeout(() => socket.end(), 1000);
    const { text } = await answer;
    clearTimeout(patience);
    expect(text).toMatch(/^HTTP\/1\.1 (200|502) /);
    if (text.startsWith('HTTP/1.1 502')) return '';
    // Without either, the end of the connection would be a regular end.
    expect(text).toMatch(/\r\n(content-length: [0-9]{4,}|transfer-encoding: chunked)\r\n/i);
    return text;
  }
});

test('an upstream that answers before the upload ends: the client hears it, and the next request is unharmed', async () => {
  gateway.http = (req, res) => {
    if (req.method === 'GET') return void res.end('fine');
    res.writeHead(413, { 'Content-Length': 9 }).end('too large');
  };
  for (const framing of [`Content-Length: ${64 * MiB}`, 'Transfer-Encoding: chunked']) {
    const socket = await dial(gateway.port);
    const answer = collect(socket);
    socket.write(`${postOf('/http/upload', framing)}5\r\nabcde\r\n`);
    const { text } = await answer;
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text.toLowerCase()).toContain('connection: close');
    expect(text).toContain('too large');
    const client = new KeepAlive(gateway.port);
    for (let i = 0; i < 3; i++) expect((await client.get('/http/next')).body).toBe('fine');
    client.close();
  }
});

test('a chunked upload over the cap is 413, and its upstream never sees a whole body', async () => {
  const bodies: { bytes: number; whole: boolean }[] = [];
  gateway.http = (req, res) => {
    const body = { bytes: 0, whole: false };
    bodies.push(body);
    req.on('error', () => {});
    req.on('data', (data: Buffer) => {
      body.bytes += data.length;
    });
    req.on('end', () => {
      body.whole = true;
      res.end('ok');
    });
  };
  const piece = `1000\r\n${'x'.repeat(0x1000)}\r\n`;
  const socket = await dial(gateway.port);
  const answer = collect(socket);
  socket.write(postOf('/capped/upload', 'Transfer-Encoding: chunked'));
  for (let sent = 0; sent < 17; sent++) {
    socket.write(piece);
    await sleep(2);
  }
  socket.write('0\r\n\r\n');
  expect((await answer).text).toMatch(/^HTTP\/1\.1 413 /);
  await gateway.idle();
  expect(bodies).toHaveLength(1);
  expect(bodies[0]?.whole).toBe(false);
  expect(bodies[0]?.bytes).toBeLessThanOrEqual(64 * 1024);

  const client = new KeepAlive(gateway.port);
  const within = `${postOf('/capped/upload', 'Transfer-Encoding: chunked')}${piece.repeat(16)}0\r\n\r\n`;
  expect((await client.ask(within)).status).toBe(200);
  client.close();
});

test('500 clients that leave at random points leave nothing behind', async () => {
  gateway.http = (req, res) => {
    req.on('error', () => {});
    if (req.method === 'POST') return void req.resume().on('end', () => res.end('ok'));
    for (let i = 0; i < 8; i++) setTimeout(() => res.write('x'.repeat(20_000)), i);
    setTimeout(() => res.end(), 9);
  };
  const chance = chanceOf(7);
  const requests = [
    getOf('/http/slow'),
    getOf('/undici/http/slow'),
    `${postOf('/http/up', 'Content-Length: 100000')}${'x'.repeat(50_000)}`,
    `${postOf('/http/up', 'Transfer-Encoding: chunked')}5\r\nabcde\r\n`,
    'GET /http/half HTTP/1.1\r\nHost: lo',
  ];
  const abort = async (): Promise<void> => {
    const socket: Socket = await dial(gateway.port);
    socket.resume();
    const request = chance.one(requests);
    socket.write(request.slice(0, 1 + chance.below(request.length)));
    await sleep(chance.below(12));
    const closed = once(socket, 'close');
    if (chance.happens(0.5)) socket.resetAndDestroy();
    else socket.destroy();
    await closed;
  };
  const before = residentBytes(gateway.pid);
  for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 50 }, abort));
  await gateway.idle();
  gateway.http = (_req, res) => void res.end('alive');
  const client = new KeepAlive(gateway.port);
  expect((await client.get('/http/x')).body).toBe('alive');
  client.close();
  expect(gateway.process.lines.filter(({ event }) => event === 'bug')).toEqual([]);
  expect(gateway.process.stderr()).toBe('');
  expect(residentBytes(gateway.pid) - before).toBeLessThan(64 * MiB);
});
