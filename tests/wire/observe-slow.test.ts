/** Held answers, and callers who do not read them: they may not hold them for ever, as no other answer. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { readAnswers } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { eventually } from '../fixtures/process.ts';
import { startRawUpstream } from '../fixtures/raw-upstream.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
const filler = 'x'.repeat(1_000_000);

beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answer = (req, res) => {
    req.resume();
    const body = JSON.stringify({ user: 'usr_1', filler });
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    res.end(body);
  };
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url}, timeout: { connect: 1s, first_byte: 10s, idle: 300ms } } }
token_types: { user: { prefix: u_, scopes: [], attributes: { user: required } } }
apis:
  main:
    to: app
    types: [user]
    routes:
      GET /me: { allow: { user: any_scope } }
      POST /unread: { allow: public, observe: { on: 2xx, end: { type: user, attributes: { user: json:/user } } } }
      POST /slow: { allow: public, observe: { on: 2xx, end: { type: user, attributes: { user: json:/user } } } }
`);
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

const post = (path: string, field = '') =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\n${field}Content-Length: 2\r\n\r\n{}`;

/** Access lines of the row, so far. */
const accounts = (path: string) => gateway.lines.filter(({ route }) => String(route).endsWith(path));

test('a caller who reads none of a held answer is cut when the upstream’s idle time is over', async () => {
  const socket = connect(gateway.port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  socket.pause();
  // More than kernels take on behalf of somebody who does not read.
  socket.write(post('/unread').repeat(12));
  await eventually('an answer is cut', async () =>
    accounts('/unread').some(({ aborted }) => aborted === true),
  );
});

test('a caller who reads slowly hears all of it', async () => {
  const before = accounts('/slow').length;
  const socket = connect(gateway.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    socket.pause();
    setImmediate(() => socket.resume());
  });
  socket.write(post('/slow').repeat(11) + post('/slow', 'Connection: close\r\n'));
  await once(socket, 'close');
  const answers = readAnswers(text);
  expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
  expect(answers.every(({ body }) => JSON.parse(body).filler === filler)).toBe(true);
  const mine = accounts('/slow').slice(before);
  expect(mine.map(({ aborted = false }) => aborted)).toEqual(Array(12).fill(false));
});

test('interim answers without end, for a caller who has left, do not hold the upstream for ever', async () => {
  const raw = await startRawUpstream();
  onTestFinished(() => raw.stop());
  const own = await startTestGateway(`
upstreams: { app: { url: ${raw.url} } }
token_types: { user: { prefix: u_, scopes: [], attributes: { user: required } } }
apis:
  main:
    to: app
    types: [user]
    routes:
      GET /me: { allow: { user: any_scope } }
      DELETE /all: { allow: public, observe: { on: 2xx, end: { type: user, attributes: { user: json:/user } } } }
`);
  onTestFinished(() => own.stop());
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  raw.answer = (socket) => {
    raw.answer = () => {};
    socket.once('close', () => resolve());
    caller.destroy();
    const interim = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(20)), 10);
    socket.once('close', () => clearInterval(interim));
  };
  const caller = connect(own.port, '127.0.0.1').on('error', () => {});
  caller.write('DELETE /all HTTP/1.1\r\nHost: a\r\n\r\n');
  await ended;
});
