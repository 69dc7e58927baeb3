/** The strict client against upstreams that speak in bytes: what it takes, and which connection a request goes on. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { carries, type StrictClient } from '../../gateway/strict-client.ts';
import { type RawUpstream, startRawUpstream } from '../fixtures/raw-upstream.ts';
import { ask, clientOf, told } from './strict-stage.ts';

const ok = 'HTTP/1.1 200 OK\r\n';
const good = `${ok}Content-Length: 4\r\n\r\ngood`;
const poison = `${ok}Content-Length: 6\r\n\r\npoison`;
const goodTold = ['start', 'sent', 'head 200', 'body good', 'end'];

let upstream: RawUpstream;
let client: StrictClient;
/** The connections that requests came on, in order. */
let used: Socket[] = [];
beforeAll(async () => {
  upstream = await startRawUpstream();
});
afterAll(() => upstream.stop());
beforeEach(() => {
  used = [];
  client = clientOf(upstream.url);
});
afterEach(() => client.destroy());

/** Answers the first request with `first` and all others well. */
function answerFirst(first: string | ((socket: Socket) => void)): void {
  upstream.answer = (socket) => {
    used.push(socket);
    if (used.length > 1) socket.write(good);
    else if (typeof first === 'string') socket.write(first);
    else first(socket);
  };
}

describe('an answer', () => {
  test.each([
    ['of known length', good, 'body good'],
    ['in chunks', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\ngo\r\n2;a=b\r\nod\r\n0\r\n\r\n`, 'body good'],
    [
      'in a few writes',
      ['HTTP/1', '.1 200 OK\r\nContent-Le', 'ngth: 4\r\n', '\r', '\ngo', 'od'],
      'body good',
    ],
    ['without a body', `${ok}Content-Length: 0\r\n\r\n`, null],
  ])('%s is told in order', async (_name, parts, body) => {
    answerFirst(async (socket) => {
      for (const part of [parts].flat()) {
        socket.write(part);
        await sleep(1);
      }
    });
    const expected = ['start', 'sent', 'head 200', ...(body === null ? [] : [body]), 'end'];
    expect(await told(ask(client))).toEqual(expected);
  });

  test('that ends with its connection is whole when that ends, and not when it is reset', async () => {
    answerFirst((socket) => socket.end(`${ok}\r\nall`));
    expect(await told(ask(client))).toEqual(['start', 'sent', 'head 200', 'body all', 'end']);
    used = [];
    answerFirst((socket) => socket.write(`${ok}\r\nhalf`));
    const broken = ask(client, '/', { body: () => used[0]?.resetAndDestroy() });
    expect(await told(broken)).toEqual(['start', 'sent', 'head 200', 'body half', 'error read ECONNRESET']);
  });

  test('without a last byte is a fault', async () => {
    answerFirst((socket) => socket.end(good.slice(0, -1)));
    const expected = ['start', 'sent', 'head 200', 'body goo'];
    const fault = 'error the connection ended before the answer did';
    expect(await told(ask(client))).toEqual([...expected, fault]);
  });

  test.each([
    ['103', 'Early Hints', 'Link: </a>\r\n'],
    ['102', 'Processing', ''],
  ])('may have a %s before it', async (status, reason, lines) => {
    answerFirst(`HTTP/1.1 ${status} ${reason}\r\n${lines}\r\n${good}`);
    expect(await told(ask(client))).toEqual(['start', 'sent', `head ${status}`, ...goodTold.slice(2)]);
  });

  test('brings its fields and trailers as they were sent', async () => {
    answerFirst(`${ok}X-A:  b \r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\nx-t: 2\r\n\r\n`);
    const asked = ask(client);
    await asked.over;
    expect(asked.hand().rawHeaders).toEqual(['X-A', 'b', 'Transfer-Encoding', 'chunked']);
    expect(asked.hand().rawTrailers).toEqual(['X-T', '1', 'x-t', '2']);
  });

  test('is not touched by what other connections read after it', async () => {
    upstream.answer = (socket, text) => {
      const letter = text.at(text.lastIndexOf('GET /') + 5) ?? '';
      socket.write(`${ok}Content-Length: 20000\r\n\r\n${letter.repeat(10_000)}`);
      setTimeout(() => socket.write(letter.repeat(10_000)), 5);
    };
    const letters = [...'abcdefghijklmnopqrst'];
    const asked = letters.map((letter) => ask(client, `/${letter}`));
    await Promise.all(asked.map(({ over }) => over));
    const bodies = asked.map(({ chunks }) => Buffer.concat(chunks).toString());
    expect(bodies).toEqual(letters.map((letter) => letter.repeat(20_000)));
  });
});

describe('a request', () => {
  test('is written as it was given', async () => {
    answerFirst(good);
    upstream.forget();
    await ask(client, '/a?b=c').over;
    expect(upstream.received()).toBe('GET /a?b=c HTTP/1.1\r\nHost: app\r\n\r\n');
  });

  test.each([
    ['a path with a space', 'GET', '/a b', []],
    ['a path with a line end', 'GET', '/a\r\nX: y', []],
    ['a path of another shape', 'GET', 'http://app/', []],
    ['a method with a space', 'GET /b', '/', []],
    ['a name that is none', 'GET', '/', ['X Y', 'b']],
    ['a value with a line end', 'GET', '/', ['X', 'b\r\nY: c']],
    ['a value that latin1 does not have', 'GET', '/', ['X', '\u{10d}\u{10a}']],
    ['a length without a body', 'GET', '/', ['Content-Length', '0']],
    ['a transfer coding', 'POST', '/', ['Transfer-Encoding', 'chunked']],
  ])('%s is never written', (_name, method, path, headers) => {
    expect(() => client.dispatch({ method, path, headers, body: null }, {})).toThrow();
  });

  test.each([
    ['no length', []],
    ['a length that is less', ['Content-Length', '3']],
    ['a length that is more', ['content-length', '5']],
    ['a length of another spelling', ['Content-Length', '04']],
    ['two lengths', ['Content-Length', '4', 'content-length', '4']],
    ['a length and chunks', ['Content-Length', '4', 'transfer-encoding', 'chunked']],
  ])('with a body and %s is never written', (_name, headers) => {
    const body = Buffer.from('body');
    expect(() => client.dispatch({ method: 'POST', path: '/', headers, body }, {})).toThrow();
  });

  test('with a body is written byte by byte as it is', async () => {
    answerFirst(good);
    upstream.forget();
    const every = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256));
    // A part of a larger piece of memory, as what is read from a socket is.
    const asked = ask(client, '/', {}, every.subarray(100, 400));
    expect(await told(asked)).toEqual(goodTold);
    const head = 'POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 300\r\n\r\n';
    expect(upstream.received()).toBe(head + every.subarray(100, 400).toString('latin1'));
  });

  test('is not followed on its connection where it was answered before all of it had left', async () => {
    answerFirst((socket) => {
      socket.pause();
      socket.write(good);
    });
    // More than both kernels take while nobody reads.
    expect(await told(ask(client, '/', {}, Buffer.alloc(32 * 1024 * 1024)))).toEqual(goodTold);
    await nextTurn();
    await nextTurn();
    expect(await told(ask(client))).toEqual(goodTold);
    expect(used[1]).not.toBe(used[0]);
  });

  test('is for this client where its end is known', () => {
    const [body, more] = [Buffer.alloc(65_536), Buffer.alloc(65_537)];
    const carried = (methods: string, given: unknown) =>
      methods.split(' ').filter((method) => carries(method, given));
    const all = 'GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND';
    expect(carried(all, null)).toEqual(['GET', 'DELETE', 'OPTIONS']);
    expect(carried(all, body)).toEqual(['POST', 'PUT', 'PATCH', 'DELETE']);
    expect(carried(all, more)).toEqual([]);
    expect(carried(all, Readable.from([body]))).toEqual([]);
  });

  test.each(['localhost', '127.0.0.1', '[::1]'])('reaches an upstream at %s', async (host) => {
    const server = createServer((socket) => socket.once('data', () => socket.end(good)));
    server.listen(0, host === 'localhost' ? '127.0.0.1' : host.replace(/[[\]]/g, ''));
    await once(server, 'listening');
    const address = server.address();
    const there = clientOf(`http://${host}:${typeof address === 'object' ? address?.port : ''}`);
    expect(await told(ask(there))).toEqual(goodTold);
    await there.destroy();
    server.close();
  });

  test('that finds nobody there has not been sent', async () => {
    const nobody = clientOf('http://127.0.0.1:1');
    const asked = ask(nobody);
    await asked.over;
    expect(asked.told).toEqual(['start', expect.stringContaining('error connect ECONNREFUSED')]);
    await nobody.close();
  });
});

describe('the next request', () => {
  test.each([
    ['a length', good],
    ['chunks', `${ok}Transfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n`],
    [
      '304 with the length of what it does not bring',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n',
    ],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['a hint that there is time', good.replace('\r\n', '\r\nKeep-Alive: timeout=5\r\n')],
  ])('goes on the same connection after %s', async (_name, first) => {
    answerFirst(first);
    await ask(client).over;
    await nextTurn();
    expect(await told(ask(client))).toEqual(goodTold);
    expect(new Set(used).size).toBe(1);
  });

  test.each([
    ['HTTP/1.0', good.replace('1.1', '1.0')],
    ['HTTP/1.0 that would keep it', good.replace('1.1 200 OK', '1.0 200 OK\r\nConnection: keep-alive')],
    ['Connection: close', good.replace('\r\n', '\r\nConnection: x, Close\r\n')],
    ['a hint that there is no time', good.replace('\r\n', '\r\nKeep-Alive: timeout=2\r\n')],
    ['a byte too many', `${good}x`],
    ['a second answer', `${good}${poison}`],
    ['204 with a length', 'HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n'],
    ['304 in chunks', 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('goes on another connection after %s', async (_name, first) => {
    answerFirst(first);
    await ask(client).over;
    await nextTurn();
    expect(await told(ask(client))).toEqual(goodTold);
    expect(new Set(used).size).toBe(2);
  });

  test('goes on another connection where the upstream has ended the first, or spoilt it', async () => {
    for (const spoil of [
      (socket: Socket) => socket.end(),
      (socket: Socket) => socket.write(poison),
      (socket: Socket) => socket.resetAndDestroy(),
    ]) {
      used = [];
      answerFirst(good);
      await ask(client).over;
      const [first] = used;
      const closed = first === undefined ? null : once(first, 'close');
      if (first !== undefined) spoil(first);
      await closed;
      expect(await told(ask(client))).toEqual(goodTold);
      expect(new Set(used).size).toBe(2);
    }
  });

  test('is not answered with what stood behind an answer while its reader wanted nothing', async () => {
    const clock = await startClock();
    answerFirst((socket) => socket.write(good));
    const first = ask(client, '/', { body: (hand) => hand.pause() });
    while (!first.hand().paused) await sleep(1);
    used[0]?.write(poison);
    await sleep(20);
    // In one turn of the event loop: the reader goes on, and the next request comes.
    await clock.struck();
    const second = ask(client);
    first.hand().resume();
    await first.over;
    expect(await told(second)).toEqual(goodTold);
    clock.stop();
  });

  test('asked in the turn in which an answer ended is not lost where the upstream then ends the connection', async () => {
    upstream.answer = (socket) => void socket.end(good);
    const asked = [ask(client)];
    for (let i = 0; i < 10; i++) {
      await asked.at(-1)?.over;
      asked.push(ask(client));
    }
    for (const one of asked) expect(await told(one)).toEqual(goodTold);
  });

  test('never shares a connection with one under way', async () => {
    const held: Socket[] = [];
    upstream.answer = (socket) => void held.push(socket);
    const asked = Array.from({ length: 10 }, () => ask(client));
    while (held.length < 10) await sleep(1);
    expect(new Set(held).size).toBe(10);
    for (const socket of held.toReversed()) socket.write(good);
    for (const one of asked) expect(await told(one)).toEqual(goodTold);
  });
});

/** A connection that has something to say when asked: what waits for it goes on while the event loop reads sockets. */
async function startClock() {
  const server = createServer((socket) => socket.on('data', () => socket.write('x')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  await once(socket, 'connect');
  return {
    struck: () =>
      new Promise((resolve) => {
        socket.once('data', resolve);
        socket.write('x');
      }),
    stop: () => {
      socket.destroy();
      server.close();
    },
  };
}
