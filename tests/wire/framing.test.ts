/** Framing on the wire: what two readers could cut differently ends its connection and is never forwarded. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ask, converse, flawsInRefusal, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { emptyAnswer, type RawUpstream, startRawUpstream } from '../fixtures/raw-upstream.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { patiently } from '../support/busy.ts';
import {
  type Attack,
  bothFramings,
  oddChunks,
  oddCodings,
  oddExpectations,
  oddHosts,
  oddLengths,
  oddLines,
  oddRequestLines,
} from './framing-attacks.ts';

let gateway: GatewayFixture;
let upstream: UpstreamFixture;
let raw: RawUpstream;

beforeAll(async () => {
  [upstream, raw] = await Promise.all([startUpstream(), startRawUpstream()]);
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} }, raw: { url: ${raw.url} } }
token_types: { item: { prefix: it_, scopes: [] } }
scopes: {}
apis:
  main:
    to: app
    routes:
      GET /open: { allow: public }
      POST /open: { allow: public }
      DELETE /open: { allow: public }
      GET /raw: { to: raw, allow: public }
      POST /raw: { to: raw, allow: public }
      POST /items: { allow: { item: any_scope } }
`);
});

afterAll(async () => {
  await gateway.stop();
  await Promise.all([upstream.stop(), raw.stop()]);
});

beforeEach(() => {
  upstream.seen.length = 0;
  gateway.lines.length = 0;
  raw.forget();
  raw.answer = (socket) => socket.write(emptyAnswer);
});

/** Nothing reached the upstream, nor was on its way there when the client was sent off. */
async function expectNothingForwarded(): Promise<void> {
  await vi.waitUntil(() => gateway.running.life.inFlight === 0, patiently);
  expect(upstream.seen).toEqual([]);
  expect(gateway.lines.filter(({ code }) => code === undefined)).toEqual([]);
}

/** One refusal in our shape or no answer at all, and then the end of the connection. */
async function flawsUnder([name, bytes]: Attack): Promise<string[]> {
  const { answers, closed } = await converse(gateway.port, bytes);
  const flaws = answers.flatMap((answer) => (answer.status >= 500 ? ['5xx'] : flawsInRefusal(answer)));
  if (!closed) flaws.push('left open');
  if (answers.length > 1) flaws.push(`${answers.length} answers`);
  return flaws.map((flaw) => `${name}: ${flaw}`);
}

describe('refused, closed and unforwarded:', () => {
  test.each([
    ['a length beside a transfer coding, in any spelling', bothFramings],
    ['transfer codings that are not exactly one chunked', oddCodings],
    ['lengths that are not exactly one number', oddLengths],
    ['lines that two parsers end at different bytes', oddLines],
    ['request lines of other versions, forms and protocols', oddRequestLines],
    ['anything but exactly one Host of the form host[:port]', oddHosts],
    ['expectations other than 100-continue', oddExpectations],
  ])('%s', async (_name, attacks) => {
    const flaws = await Promise.all(attacks.map(flawsUnder));
    expect(flaws.flat()).toEqual([]);
    await expectNothingForwarded();
  });
});

test('a chunked body that breaks its framing never ends well at the upstream, and nothing behind it is read', async () => {
  const flaws = await Promise.all(oddChunks.map(flawsUnder));
  expect(flaws.flat()).toEqual([]);
  await vi.waitUntil(() => gateway.running.life.inFlight === 0, patiently);
  expect(upstream.seen).toEqual([]);
  expect(gateway.lines.filter(({ code, aborted }) => code === undefined && aborted !== true)).toEqual([]);
});

describe('what the gateway reads leniently leaves it in the one right form:', () => {
  test.each([
    ['an empty line before the request', '\r\nGET /raw HTTP/1.1\r\nHost: gate\r\n\r\n'],
    ['two spaces before the target', 'GET  /raw HTTP/1.1\r\nHost: gate\r\n\r\n'],
    ['two spaces after the target', 'GET /raw  HTTP/1.1\r\nHost: gate\r\n\r\n'],
    ['HTTP/1.0', 'GET /raw HTTP/1.0\r\nHost: gate\r\n\r\n'],
    ['the protocol name of a sibling', 'GET /raw RTSP/1.0\r\nHost: gate\r\n\r\n'],
    ['no space after the colon', 'GET /raw HTTP/1.1\r\nHost:gate\r\n\r\n'],
  ])('%s', async (_name, bytes) => {
    const answer = await ask(gateway.port, bytes);
    expect(answer.status).toBe(200);
    expect(raw.received()).toMatch(/^GET \/raw HTTP\/1\.1\r\nhost: 127\.0\.0\.1:/i);
  });
});

test('a chunked body is framed anew: no extension and no trailer of the client survives', async () => {
  raw.answer = (socket, text) => /(?:hello!|0\r\n\r\n)$/.test(text) && socket.write(emptyAnswer);
  const body =
    '5;ext="v"\r\nhello\r\n1;a=b\r\n!\r\n0;last\r\nX-Postern-Token-Id: forged\r\nX-Late: v\r\n\r\n';
  const lines = ['Transfer-Encoding: chunked', 'Trailer: X-Postern-Token-Id'];
  const answer = await ask(gateway.port, requestBytes('POST /raw', lines, body));
  expect(answer.status).toBe(200);
  const text = raw.received();
  expect(text).toMatch(
    /\r\n(?:content-length: 6\r\n\r\nhello!|transfer-encoding: chunked\r\n\r\n(?:5\r\nhello\r\n1\r\n!|6\r\nhello!)\r\n0\r\n\r\n)$/i,
  );
  expect(text).not.toMatch(/trailer|forged|late|ext/i);
});

test.each(['GET', 'POST', 'DELETE'])('the body of a %s is forwarded within its frame', async (method) => {
  const body = 'GET /open?inner HTTP/1.1\r\nHost: gate\r\n\r\n';
  const lines = [`Content-Length: ${body.length}`];
  const answer = await ask(gateway.port, requestBytes(`${method} /open`, lines, body));
  expect(answer.status).toBe(200);
  expect(upstream.seen.map(({ method, target, body }) => ({ method, target, body }))).toEqual([
    { method, target: '/open', body },
  ]);
});

test('a refused body is read past and is never a request; what comes behind it is', async () => {
  const body = 'GET /open?inner HTTP/1.1\r\nHost: gate\r\n\r\n';
  const refused = requestBytes(
    'POST /items',
    [`Content-Length: ${body.length}`, 'Connection: keep-alive'],
    body,
  );
  const { answers } = await converse(gateway.port, `${refused}${requestBytes('GET /open?after')}`);
  expect(answers.map(({ status }) => status)).toEqual([401, 200]);
  expect(upstream.seen.map(({ target }) => target)).toEqual(['/open?after']);
});

test('a refused body too long to read past, or without a known end, ends the connection', async () => {
  const inner = 'GET /open?inner HTTP/1.1\r\nHost: gate\r\n\r\n';
  for (const [framing, body] of [
    ['Content-Length: 1000000', inner],
    ['Transfer-Encoding: chunked', `0fff\r\n${inner}`],
  ] as const) {
    const refused = requestBytes('POST /items', [framing, 'Connection: keep-alive'], body);
    const { answers, closed } = await converse(gateway.port, refused);
    expect(answers.map(({ status }) => status)).toEqual([401]);
    expect(answers[0]?.field('connection')).toBe('close');
    expect(closed).toBe(true);
  }
  await expectNothingForwarded();
});

test('an upstream that answers before the body is in ends the connection with its answer', async () => {
  const early = requestBytes('POST /raw', ['Content-Length: 1000', 'Connection: keep-alive'], 'begin');
  const { answers, closed } = await converse(gateway.port, early);
  expect(answers.map(({ status }) => status)).toEqual([200]);
  expect(answers[0]?.field('connection')).toBe('close');
  expect(closed).toBe(true);
});

describe('Expect: 100-continue', () => {
  const lines = ['Expect: 100-continue', 'Content-Length: 5', 'Connection: keep-alive'];

  test('is answered 100 by us once the request may pass, and never forwarded', async () => {
    const { answers } = await converse(gateway.port, requestBytes('POST /open', lines, 'hello'));
    expect(answers.map(({ status }) => status)).toEqual([100, 200]);
    expect(upstream.seen.map(({ body, headers }) => [body, headers.expect])).toEqual([['hello', undefined]]);
  });

  test('is answered by the refusal alone where the request may not pass, and the connection ends', async () => {
    const inner = 'GET /open?inner HTTP/1.1\r\nHost: gate\r\n\r\n';
    const { answers, closed } = await converse(gateway.port, requestBytes('POST /items', lines, inner));
    expect(answers.map(({ status }) => status)).toEqual([401]);
    expect(answers[0]?.field('connection')).toBe('close');
    expect(closed).toBe(true);
    await expectNothingForwarded();
  });
});

describe('no protocol is switched:', () => {
  test.each([
    ['h2c', ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABkAAQAoAAA']],
    ['websocket', ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']],
    ['two at once', ['Upgrade: h2c, websocket', 'Connection: keep-alive, Upgrade']],
    ['another HTTP', ['Upgrade: HTTP/3.0', 'Connection: Upgrade']],
  ])('%s is an ordinary request and the last of its connection', async (_name, lines) => {
    const asked = requestBytes('POST /open', [...lines, 'Content-Length: 5'], 'hello');
    const { answers, closed } = await converse(gateway.port, `${asked}${requestBytes('GET /open?early')}`);
    expect(answers.map(({ status, field }) => [status, field('connection')])).toEqual([[200, 'close']]);
    expect(closed).toBe(true);
    expect(upstream.seen.map(({ target, body }) => [target, body])).toEqual([['/open', 'hello']]);
    expect(upstream.seen[0]?.rawHeaders.join('\n')).not.toMatch(/upgrade|http2-settings|sec-websocket-key/i);
  });
});

test('after all of it a good request is answered', async () => {
  expect((await ask(gateway.port, requestBytes('GET /open'))).status).toBe(200);
});

test('the log holds no word of the callers', () => {
  expect(gateway.logText().length).toBeGreaterThan(10_000);
  expect(gateway.logText()).not.toMatch(/inner|hello|Transfer-Encoding:|PRI|evil|forged/);
});
