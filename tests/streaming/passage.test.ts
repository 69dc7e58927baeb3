/** Bodies pass as they come: unbuffered, with back-pressure both ways, in whatever framing and with whatever status. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import { residentBytes } from '../fixtures/process.ts';
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
const chunk = Buffer.alloc(64 * 1024, 'x');

let gateway: StreamingGateway;
beforeAll(async () => {
  gateway = await startStreaming();
});
afterAll(() => gateway.stop());
afterEach(() => gateway.idle());

/** Answers the one request of a connection with these bytes, once its head is there. */
const answering =
  (...parts: readonly string[]) =>
  (socket: Socket) =>
    void socket.on('data', async (data: Buffer) => {
      if (!data.includes('\r\n\r\n')) return;
      for (const part of parts) {
        socket.write(part);
        await sleep(5);
      }
    });

test('server-sent events arrive one by one, each within 100 ms', again, async () => {
  gateway.http = async (_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    for (let i = 0; i < 20; i++) {
      res.write(`data: ${performance.now()}\n\n`);
      await sleep(15);
    }
    res.end();
  };
  const socket = await dial(gateway.port);
  const delays: number[] = [];
  socket.on('data', (data: Buffer) => {
    for (const [, at] of data.toString().matchAll(/data: ([0-9.]+)/g))
      delays.push(performance.now() - Number(at));
  });
  const done = until(socket, '\r\n0\r\n\r\n');
  socket.write(getOf('/http/events'));
  await done;
  socket.destroy();
  expect(delays).toHaveLength(20);
  expect(Math.max(...delays)).toBeLessThan(100);
});

test('a client that does not read stops its upstream, and the gateway holds little in between', async () => {
  let written = 0;
  let answer: ServerResponse | null = null;
  gateway.http = (_req, res) => {
    answer = res;
    const more = () => {
      while (written < 512 * MiB) {
        written += chunk.length;
        if (!res.write(chunk)) return;
      }
    };
    res.on('drain', more);
    more();
  };
  const before = residentBytes(gateway.pid);
  const socket = await dial(gateway.port);
  socket.pause();
  socket.write(getOf('/http/flood'));
  const stuck = await standstill(() => written);
  expect(stuck).toBeLessThan(32 * MiB);
  expect(residentBytes(gateway.pid) - before).toBeLessThan(48 * MiB);
  socket.resume();
  await eventuallyMore(() => written, stuck + 32 * MiB);
  socket.destroy();
  if (answer !== null) await once(answer, 'close');
});

test('an upstream that does not read stops its client, and the gateway holds little in between', async () => {
  let upstream: Socket | null = null;
  gateway.raw = (socket) => {
    upstream = socket;
    socket.pause();
  };
  const before = residentBytes(gateway.pid);
  const socket = await dial(gateway.port);
  socket.write(postOf('/raw/sink', `Content-Length: ${512 * MiB}`));
  let written = 0;
  const more = () => {
    while (written < 512 * MiB) {
      written += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', more);
  more();
  const stuck = await standstill(() => written);
  expect(stuck).toBeLessThan(32 * MiB);
  expect(residentBytes(gateway.pid) - before).toBeLessThan(48 * MiB);
  (upstream as Socket | null)?.resume();
  await eventuallyMore(() => written, stuck + 32 * MiB);
  socket.destroy();
});

/** Where a count comes to rest: no growth in 250 ms. */
async function standstill(count: () => number): Promise<number> {
  for (;;) {
    const before = count();
    await sleep(250);
    if (count() === before && before > 0) return before;
  }
}

async function eventuallyMore(count: () => number, than: number): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (count() < than) {
    if (performance.now() > deadline) throw new Error(`stands at ${count()}`);
    await sleep(10);
  }
}

test.each([204, 304])('%i passes without a body, and the connection lives on', async (status) => {
  gateway.http = (_req, res) => void res.writeHead(status, { ETag: '"1"' }).end();
  const client = new KeepAlive(gateway.port);
  for (let i = 0; i < 3; i++) {
    const answer = await client.get('/http/x');
    expect([answer.status, answer.headers.get('etag'), answer.body]).toEqual([status, '"1"', '']);
    expect(answer.headers.has('transfer-encoding')).toBe(false);
  }
  expect(client.opened).toBe(1);
  client.close();
});

test('HEAD passes with the length of the body it does not have', async () => {
  gateway.http = (req, res) => {
    expect(req.method).toBe('HEAD');
    res.writeHead(200, { 'Content-Length': 12345 }).end();
  };
  const client = new KeepAlive(gateway.port);
  for (let i = 0; i < 3; i++) {
    const answer = await client.ask('HEAD /http/x HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '12345']);
  }
  expect(client.opened).toBe(1);
  client.close();
});

test('103 goes ahead of the answer, and other interim answers do not confuse it', async () => {
  gateway.raw = answering(
    'HTTP/1.1 102 Processing\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
  );
  const socket = await dial(gateway.port);
  const all = until(socket, '\r\n\r\nok');
  socket.write(getOf('/raw/hints'));
  const text = await all;
  socket.destroy();
  expect(text).toMatch(
    /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
  );
});

test('trailers of an answer pass, except reserved names', async () => {
  gateway.raw = answering(
    'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n',
    '0\r\nX-Sum: 7\r\nX-Postern-Token-Id: forged\r\n\r\n',
  );
  const socket = await dial(gateway.port);
  const end = until(socket, 'X-Sum: 7\r\n\r\n');
  socket.write(getOf('/raw/trailers'));
  const text = await end;
  socket.destroy();
  expect(text).toMatch(/\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n$/);
});

test('an answer that ends with its connection is sent on chunked, and the client can ask again', async () => {
  gateway.raw = (socket) =>
    void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'));
  const client = new KeepAlive(gateway.port);
  for (let i = 0; i < 3; i++) {
    const answer = await client.get('/raw/close');
    expect(answer.headers.get('transfer-encoding')).toBe('chunked');
    expect(answer.body).toBe('until the end');
  }
  expect(client.opened).toBe(1);
  client.close();
});

test('100-continue comes from the gateway once it has judged, and never reaches the upstream', async () => {
  const expectations: unknown[] = [];
  gateway.http = (req, res) => {
    expectations.push(req.headers.expect);
    req.pipe(res);
  };
  const socket = await dial(gateway.port);
  const go = until(socket, 'HTTP/1.1 100 Continue\r\n\r\n');
  socket.write(postOf('/http/echo', 'Content-Length: 5', 'Expect: 100-continue'));
  await go;
  const answer = until(socket, 'hello');
  socket.write('hello');
  expect(await answer).toContain('200 OK');
  socket.destroy();
  expect(expectations).toEqual([undefined]);
});

test('100-continue for a request that is refused gets the refusal instead', async () => {
  const socket = await dial(gateway.port);
  const answer = collect(socket);
  socket.write(postOf('/private', 'Content-Length: 5', 'Expect: 100-continue'));
  const { text, clean } = await answer;
  expect(text).toMatch(/^HTTP\/1\.1 401 /);
  expect(clean).toBe(true);
});
