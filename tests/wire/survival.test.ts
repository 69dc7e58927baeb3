/** Callers and upstreams that misbehave in mid-exchange: the process lives, nothing leaks, others are served. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ask, converse, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { sendRaw } from '../fixtures/raw.ts';
import { emptyAnswer, type RawUpstream, startRawUpstream } from '../fixtures/raw-upstream.ts';
import { patiently } from '../support/busy.ts';

let raw: RawUpstream;
let gateway: GatewayFixture;
beforeAll(async () => {
  raw = await startRawUpstream();
  gateway = await startTestGateway(`
upstreams:
  raw: { url: ${raw.url}, timeout: { connect: 1s, first_byte: 5s, idle: 1s } }
token_types:
  old: { prefix: old_, hash: { use: bcrypt, cost: 10 }, scopes: [use] }
scopes: { use: Use it }
apis:
  main:
    to: raw
    routes:
      GET /open: { allow: public }
      POST /open: { allow: public, body: { max: none } }
      POST /capped: { allow: public, body: { max: 1KiB } }
      GET /old: { allow: { old: use } }
`);
});
beforeEach(() => {
  raw.forget();
  raw.answer = (socket) => socket.write(emptyAnswer);
});
afterAll(async () => {
  await gateway.stop();
  await raw.stop();
});

async function send(bytes: string): Promise<Socket> {
  const socket = connect({ port: gateway.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(bytes);
  return socket;
}

const served = async () => (await ask(gateway.port, requestBytes('GET /open'))).status;
const nothingInFlight = () => vi.waitFor(() => expect(gateway.running.life.inFlight).toBe(0), patiently);
const bugs = () => gateway.lines.filter(({ event, code }) => event === 'bug' || code === 'internal_error');

test('a CONNECT that is reset at once does not end the process', async () => {
  for (let i = 0; i < 50; i++) {
    const socket = await send('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n');
    socket.resetAndDestroy();
  }
  expect(await served()).toBe(200);
});

test('a caller who leaves while its token is verified reaches no upstream and leaves nothing behind', async () => {
  const { token } = await gateway.mint('old');
  const socket = await send(requestBytes('GET /old', [`Authorization: Bearer ${token}`]));
  await vi.waitFor(() => expect(gateway.running.life.inFlight).toBe(1), patiently);
  socket.resetAndDestroy();
  await nothingInFlight();
  expect(raw.received()).toBe('');
});

const failingUpstreams: readonly [string, RawUpstream['answer']][] = [
  ['resets', (socket) => socket.resetAndDestroy()],
  ['hangs up', (socket) => socket.destroy()],
  ['talks garbage', (socket) => socket.end('SSH-2.0-x\r\n\r\n')],
];
const openBodies: readonly [string, string][] = [
  ['POST /open', 'Content-Length: 1000000'],
  ['POST /open', 'Content-Length: 1000'],
  ['POST /open', 'Transfer-Encoding: chunked'],
  ['POST /capped', 'Transfer-Encoding: chunked'],
];

test.each(
  failingUpstreams.flatMap(([what, answer]) =>
    openBodies.map(([line, framing]) => [what, line, framing, answer] as const),
  ),
)('an upstream that %s under an open body (%s, %s) is 502 and the connection ends', async (...row) => {
  const [, line, framing, answer] = row;
  raw.answer = answer;
  const begun = framing.startsWith('Transfer') ? '5\r\nhello\r\n' : 'hello';
  const { answers, closed } = await converse(
    gateway.port,
    requestBytes(line, [framing, 'Connection: keep-alive'], begun),
    300,
  );
  expect(answers.map(({ status }) => status)).toEqual([502]);
  expect(closed).toBe(true);
  await nothingInFlight();
  expect(bugs()).toEqual([]);
});

test('a chunked body that outgrows its cap before its end is 413, and its upstream never sees an end', async () => {
  raw.answer = () => {};
  const chunk = `400\r\n${'x'.repeat(1024)}\r\n5\r\nhello\r\n`;
  const { answers, closed } = await converse(
    gateway.port,
    requestBytes('POST /capped', ['Transfer-Encoding: chunked'], chunk),
    300,
  );
  expect(answers.map(({ status }) => status)).toEqual([413]);
  expect(closed).toBe(true);
  expect(raw.received()).not.toContain('0\r\n\r\n');
  await nothingInFlight();
});

test('bodies that stand still are 408 after idle, and keep nobody else out meanwhile', async () => {
  raw.answer = (socket, text) => text.includes('GET /open') && socket.write(emptyAnswer);
  const slow = await Promise.all(
    Array.from({ length: 60 }, () => send(requestBytes('POST /open', ['Content-Length: 1000'], 'x'))),
  );
  const firstWords = slow.map(async (socket) => String((await once(socket, 'data'))[0]).slice(9, 12));
  expect(await served()).toBe(200);
  expect(new Set(await Promise.all(firstWords))).toEqual(new Set(['408']));
  await nothingInFlight();
});

test('a caller who stops reading is cut after idle', async () => {
  raw.answer = (socket) =>
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n${'x'.repeat(20_000_000)}`);
  const socket = await send(requestBytes('GET /open'));
  socket.pause();
  await vi.waitFor(() => expect(gateway.running.life.inFlight).toBe(1), patiently);
  await nothingInFlight();
});

test('a request behind one that ended its connection is no request', async () => {
  raw.answer = (socket) => setTimeout(() => socket.write(emptyAnswer), 50);
  const twoHosts = 'GET /open HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n';
  await converse(
    gateway.port,
    `${requestBytes('GET /open', ['Connection: keep-alive'])}${twoHosts}${requestBytes('POST /open?smuggled')}`,
    300,
  );
  expect(raw.received()).not.toContain('smuggled');
});

test('garbage behind a request that is still being answered is not answered in its place', async () => {
  raw.answer = (socket) => setTimeout(() => socket.write(emptyAnswer), 50);
  const { answers } = await converse(
    gateway.port,
    `${requestBytes('GET /open', ['Connection: keep-alive'])}GARBAGE\r\n\r\n`,
    300,
  );
  expect(answers.map(({ status }) => status)).not.toContain(400);
});

test.each([
  [
    'a 103 whose Link node cannot read',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel="x y"; title="a b"\r\n\r\n',
    '',
    200,
  ],
  ['a transfer coding of the upstream that is not chunked', '', 'Transfer-Encoding: gzip\r\n', 502],
  ['a status below 100', '', null, 502],
])('%s gives the caller a whole answer', async (_what, interim, field, status) => {
  raw.answer = (socket) =>
    field === null
      ? socket.end('HTTP/1.1 099 X\r\n\r\n')
      : socket.end(
          `${interim}HTTP/1.1 200 OK\r\n${field}${field === '' ? 'Content-Length: 2\r\n' : ''}\r\nok`,
        );
  const { answers } = await converse(gateway.port, requestBytes('GET /open'), 200);
  expect(answers.at(-1)?.status).toBe(status);
});

test('trailers carry nothing that only a head of ours may say', async () => {
  const trailers = 'X-Sum: 1\r\nAccess-Control-Allow-Origin: *\r\nX-Postern-Token-Id: forged\r\n';
  raw.answer = (socket) =>
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${trailers}\r\n`);
  const socket = await send(requestBytes('GET /open'));
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'close');
  expect(text).toContain('X-Sum: 1');
  expect(text).not.toMatch(/Access-Control|forged/i);
});

test.each(['102 Processing', '103 Early Hints'])(
  'an upstream that says %s without end is 502',
  async (line) => {
    raw.answer = (socket) => {
      const interim = `HTTP/1.1 ${line}\r\nLink: </${'a'.repeat(4000)}>; rel=preload\r\n\r\n`.repeat(8);
      const go = (): void => {
        if (socket.destroyed) return;
        if (socket.write(interim)) setImmediate(go);
        else socket.once('drain', go);
      };
      raw.answer = () => {};
      go();
    };
    const { text } = await sendRaw(gateway.port, requestBytes('GET /open', ['Connection: close']), 1500);
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    expect(statuses.at(-1)).toBe('502');
    expect(statuses.length).toBeLessThanOrEqual(101);
    await nothingInFlight();
  },
);
