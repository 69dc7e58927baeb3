/** Rows that read their body, over real sockets: what is forwarded, what is refused, and what is held meanwhile. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ask, converse, flawsInRefusal, problemOf, readAnswers, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { patiently } from '../support/busy.ts';

const budget = 400_000;
let upstream: UpstreamFixture;
let gateway: GatewayFixture;
let bearer: string;

const config = (url: string) => `
upstreams:
  app: { url: ${url} }
  hasty: { url: ${url}, timeout: { idle: 300ms } }
token_types: { user: { prefix: usr_, grantable: [] } }
limits:
  items: { rate: 5/1m, per: [token], cost: "json:/items#" }
  calls: { rate: 1/1m, per: [token] }
apis:
  main:
    to: app
    routes:
      POST /json: { allow: { user: any_scope }, body: { max: 300KB, json: true } }
      PUT /small: { allow: { user: any_scope }, body: { max: 20B, json: true } }
      POST /open: { allow: public, body: { json: true } }
      POST /hasty: { to: hasty, allow: public, body: { json: true } }
      POST /items: { allow: { user: any_scope }, limits: [items] }
      POST /batch: { allow: { user: any_scope }, limits: [items, calls] }
      POST /call: { allow: { user: any_scope }, limits: [calls], body: { json: true } }
      POST /plain: { allow: { user: any_scope } }
`;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(config(upstream.url), '', { bodyBudgetBytes: budget });
  bearer = await newBearer();
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.seen.length = 0;
});

async function newBearer(): Promise<string> {
  return `Authorization: Bearer ${(await gateway.mint('user')).token}`;
}

const json = 'Content-Type: application/json';

/** A request with a body of known length. Bodies are latin1 text, a byte a character. */
function sized(line: string, body: string, lines: readonly string[] = [bearer, json]): string {
  return requestBytes(line, [...lines, `Content-Length: ${body.length}`], body);
}

function chunked(line: string, pieces: readonly string[], lines: readonly string[] = [bearer, json]): string {
  const body = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
  return requestBytes(line, [...lines, 'Transfer-Encoding: chunked'], `${body}0\r\n\r\n`);
}

function fieldOf(rawHeaders: readonly string[], name: string): string | null {
  const index = rawHeaders.findIndex((one, i) => i % 2 === 0 && one.toLowerCase() === name);
  return index === -1 ? null : (rawHeaders[index + 1] ?? null);
}

const odd = `\r\n{ "b" :\t[1.50e+1, -0.0],"a":"\\u0041\\/${Buffer.from('é😀').toString('latin1')}","a":2 }\n `;

describe('what is forwarded', () => {
  test.each([
    ['sized', () => sized('POST /json', odd)],
    ['in chunks of three', () => chunked('POST /json', odd.match(/[\s\S]{1,3}/g) ?? [])],
    ['in one chunk', () => chunked('POST /json', [odd])],
  ])('is the same bytes with a length, sent %s', async (_how, request) => {
    const answer = await ask(gateway.port, request());
    expect(answer.status).toBe(200);
    expect(upstream.seen.map(({ body }) => body)).toEqual([odd]);
    const [{ rawHeaders } = { rawHeaders: [] }] = upstream.seen;
    expect(fieldOf(rawHeaders, 'content-length')).toBe(String(odd.length));
    expect(fieldOf(rawHeaders, 'transfer-encoding')).toBeNull();
    expect(gateway.running.bodies.held).toBe(0);
  });

  test('is the same bytes of a body that comes in many reads, and in 50,000 chunks of a byte', async () => {
    const long = JSON.stringify({ text: 'x'.repeat(250_000) });
    expect((await ask(gateway.port, sized('POST /json', long))).status).toBe(200);
    const many = JSON.stringify({ text: 'y'.repeat(50_000) });
    expect((await ask(gateway.port, chunked('POST /json', [...many]))).status).toBe(200);
    expect(upstream.seen.map(({ body }) => body)).toEqual([long, many]);
    expect(gateway.running.bodies.held).toBe(0);
  });

  test('is followed by the next request on the connection, pipelined or not', async () => {
    const keep = [bearer, json, 'Connection: keep-alive'];
    const requests = [
      sized('POST /json', '{"n":1}', keep),
      chunked('POST /json', ['{"n"', ':2}'], keep),
      sized('POST /json', '{"n":3,}', keep),
      sized('POST /plain', 'n=4', [bearer, 'Connection: keep-alive']),
      sized('POST /json', '{"n":5}'),
    ];
    const { answers } = await converse(gateway.port, requests.join(''));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 200, 200]);
    expect(upstream.seen.map(({ body }) => body)).toEqual(['{"n":1}', '{"n":2}', 'n=4', '{"n":5}']);
  });
});

describe('what is refused never reaches the upstream', () => {
  test.each<readonly [what: string, status: number, code: string, () => string]>([
    ['no JSON', 400, 'body_malformed', () => sized('POST /json', '{"a":1,}')],
    ['no JSON, in chunks', 400, 'body_malformed', () => chunked('POST /json', ['{"a"', '1}'])],
    ['a byte order mark', 400, 'body_malformed', () => sized('POST /json', '\xef\xbb\xbf{}')],
    ['bad UTF-8', 400, 'body_malformed', () => sized('POST /json', '"\xff"')],
    ['more behind the value', 400, 'body_malformed', () => sized('POST /json', '{}{}')],
    ['too deep', 400, 'body_malformed', () => sized('POST /json', '['.repeat(65) + ']'.repeat(65))],
    [
      'a key twice on the way to the cost',
      400,
      'body_malformed',
      () => sized('POST /items', '{"items":[],"items":[1]}'),
    ],
    ['an empty body', 400, 'body_malformed', () => sized('POST /json', '')],
    ['an empty body without a type', 400, 'body_malformed', () => sized('POST /json', '', [bearer])],
    ['no body at all', 400, 'body_malformed', () => requestBytes('POST /json', [bearer])],
    ['an empty body in chunks', 400, 'body_malformed', () => chunked('POST /json', [])],
    [
      'another type',
      415,
      'body_encoding',
      () => sized('POST /json', '{}', [bearer, 'Content-Type: text/json']),
    ],
    [
      'a form',
      415,
      'body_encoding',
      () => sized('POST /json', '{}', [bearer, 'Content-Type: multipart/form-data; boundary=x']),
    ],
    ['no type', 415, 'body_encoding', () => sized('POST /json', '{}', [bearer])],
    ['two types', 415, 'body_encoding', () => sized('POST /json', '{}', [bearer, json, json])],
    [
      'another charset',
      415,
      'body_encoding',
      () => sized('POST /json', '{}', [bearer, `${json}; charset=utf-16`]),
    ],
    [
      'a coding',
      415,
      'body_encoding',
      () => sized('POST /json', '{}', [bearer, json, 'Content-Encoding: gzip']),
    ],
    [
      'identity as a coding',
      415,
      'body_encoding',
      () => sized('POST /json', '{}', [bearer, json, 'Content-Encoding: identity']),
    ],
    ['too long', 413, 'body_too_large', () => sized('PUT /small', `"${'x'.repeat(19)}"`)],
    [
      'too long, in chunks',
      413,
      'body_too_large',
      () => chunked('PUT /small', ['"xxxxxxxxxx', 'xxxxxxxxxx"']),
    ],
    ['a cost that never fits', 413, 'cost_too_large', () => sized('POST /items', '{"items":[1,2,3,4,5,6]}')],
  ])('%s: %i %s', async (_what, status, code, request) => {
    const answer = await ask(gateway.port, request());
    expect(flawsInRefusal(answer)).toEqual([]);
    expect([answer.status, problemOf(answer)?.code]).toEqual([status, code]);
    expect(upstream.seen).toEqual([]);
    expect(gateway.running.bodies.held).toBe(0);
  });

  test.each([
    'application/json',
    'Application/JSON ; charset="UTF-8"',
    'application/vnd.acme+json;v=1',
    'application/ld+json',
  ])('%s is JSON', async (type) => {
    expect(
      (await ask(gateway.port, sized('POST /json', '{}', [bearer, `Content-Type: ${type}`]))).status,
    ).toBe(200);
  });

  test('a row that does not read its body takes anything', async () => {
    const lines = [bearer, 'Content-Encoding: gzip', 'Content-Type: text/plain'];
    expect((await ask(gateway.port, sized('POST /plain', '\x1f\x8b{', lines))).status).toBe(200);
    expect(upstream.seen[0]?.body).toBe('\x1f\x8b{');
  });
});

/** What has come back on a connection so far. */
function textOf(socket: Socket): () => string {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  return () => text;
}

/** Sends a head that asks before it sends its body; resolves with what came back before the body was sent. */
async function asking(line: string, lines: readonly string[], length = 10): Promise<readonly number[]> {
  const bytes = requestBytes(line, [...lines, `Content-Length: ${length}`, 'Expect: 100-continue']);
  const { answers } = await converse(gateway.port, bytes);
  return answers.map(({ status }) => status);
}

describe('a caller who waits for 100', () => {
  test('is told to go on where the body is read, once, and not before the rest is judged', async () => {
    expect(await asking('POST /json', [bearer, json])).toEqual([100]);
    expect(await asking('POST /json', [json])).toEqual([401]);
    expect(await asking('POST /json', [`Authorization: Bearer usr_${'x'.repeat(40)}`, json])).toEqual([401]);
    expect(await asking('POST /json', [bearer])).toEqual([415]);
    expect(await asking('POST /json', [bearer, json], 300_001)).toEqual([413]);
  });

  test('is forwarded with one 100, and may go on with the connection', async () => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1' });
    const text = textOf(socket);
    const lines = [bearer, json, 'Content-Length: 2', 'Expect: 100-continue', 'Connection: keep-alive'];
    socket.write(requestBytes('POST /json', lines));
    await vi.waitUntil(() => text().includes('100 Continue'), patiently);
    socket.write(`[]${sized('POST /json', '[1]')}`);
    await once(socket, 'close');
    expect(readAnswers(text()).map(({ status }) => status)).toEqual([100, 200, 200]);
    expect(upstream.seen.map(({ body }) => body)).toEqual(['[]', '[1]']);
  });

  test('learns of a spent limit first, unless the cost is in the body', async () => {
    const other = await newBearer();
    expect((await ask(gateway.port, sized('POST /call', '{}', [other, json]))).status).toBe(200);
    expect(await asking('POST /call', [other, json])).toEqual([429]);
    expect(await asking('POST /batch', [other, json])).toEqual([100]);
  });
});

describe('a cost in the body', () => {
  test('is the number of items, all or nothing with the other limits', async () => {
    const other = await newBearer();
    const send = async (line: string, body: unknown) => {
      const answer = await ask(gateway.port, sized(line, JSON.stringify(body), [other, json]));
      return [answer.status, answer.field('ratelimit')?.match(/r=(\d+)/)?.[1]];
    };
    expect(await send('POST /items', { items: [1, [2, 3]] })).toEqual([200, '3']);
    expect(await send('POST /items', { items: [1, 2, 3, 4] })).toEqual([429, '3']);
    expect(await send('POST /batch', { items: [1, 2, 3, 4] })).toEqual([429, expect.anything()]);
    expect(await send('POST /batch', { items: [1] })).toEqual([200, '0']);
    expect(await send('POST /batch', { items: [] })).toEqual([429, '0']);
    expect(await send('POST /items', {})).toEqual([200, '1']);
    expect(await send('POST /items', { items: [] })).toEqual([200, '0']);
    expect(await send('POST /items', { items: 'none' })).toEqual([429, '0']);
  });
});

/** Sends the head and the beginning of a body, and resolves when the gateway holds `held` bytes more. */
async function begin(
  body: string,
  length: number,
  line = 'POST /json',
  lines = [bearer, json],
): Promise<Socket> {
  const before = gateway.running.bodies.held;
  const socket = connect({ port: gateway.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(Buffer.from(requestBytes(line, [...lines, `Content-Length: ${length}`], body), 'latin1'));
  await vi.waitUntil(() => gateway.running.bodies.held >= before + body.length, patiently);
  return socket;
}

describe('what all bodies hold together', () => {
  test('has a bound: beyond it is 503, and there is room again when one leaves', async () => {
    const body = JSON.stringify('x'.repeat(250_000));
    const socket = await begin(body.slice(0, -1), body.length);
    expect(gateway.running.bodies.held).toBeLessThanOrEqual(budget);
    const answer = await ask(gateway.port, sized('POST /json', body));
    expect([answer.status, problemOf(answer)?.code]).toEqual([503, 'overloaded']);
    expect(answer.field('retry-after')).toBe('1');
    expect((await ask(gateway.port, sized('POST /json', '{}'))).status).toBe(200);
    socket.destroy();
    await vi.waitUntil(() => gateway.running.bodies.held === 0, patiently);
    expect((await ask(gateway.port, sized('POST /json', body))).status).toBe(200);
    expect(gateway.running.bodies.held).toBe(0);
  });

  test('counts what has come, not what is announced', async () => {
    const socket = await begin('[', 300_000);
    expect(gateway.running.bodies.held).toBe(1);
    socket.destroy();
    await vi.waitUntil(() => gateway.running.bodies.held === 0, patiently);
  });

  test('is nothing, and memory stays flat, after 200 uploads that broke off', async () => {
    const part = `"${'x'.repeat(100_000)}`;
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 100; round++) {
      const sockets = [await begin(part, 190_000), await begin(part, 190_000)];
      for (const socket of sockets) socket.destroy();
      await vi.waitUntil(() => gateway.running.bodies.held === 0, patiently);
    }
    expect(upstream.seen).toEqual([]);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    await vi.waitUntil(() => gateway.running.life.inFlight === 0, patiently);
  });
});

test('a caller who stands still in the middle gets 408, and holds nothing any more', async () => {
  const socket = await begin('{"a":', 100, 'POST /hasty', [json]);
  const text = textOf(socket);
  await once(socket, 'close');
  const [answer] = readAnswers(text());
  expect([answer?.status, answer?.field('connection')]).toEqual([408, 'close']);
  expect(gateway.running.bodies.held).toBe(0);
  expect(upstream.seen).toEqual([]);
});

test('a caller who keeps sending is waited for, however slowly', async () => {
  const body = '[1,2,3]';
  const socket = await begin('[', body.length, 'POST /hasty', [json]);
  const [text, closed] = [textOf(socket), once(socket, 'close')] as const;
  for (const [index, byte] of [...body.slice(1)].entries()) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.write(byte);
    if (index < body.length - 2) expect(text()).toBe('');
  }
  await closed;
  expect(readAnswers(text()).map(({ status }) => status)).toEqual([200]);
});

test('an upload under way when the gateway drains is read, forwarded and answered', async () => {
  const other = await startTestGateway(config(upstream.url));
  const socket = connect({ port: other.port, host: '127.0.0.1' });
  const text = textOf(socket);
  socket.write(requestBytes('POST /open', [json, 'Content-Length: 3'], '['));
  await vi.waitUntil(() => other.running.bodies.held === 1, patiently);
  const stopped = other.stop();
  await vi.waitUntil(() => other.running.life.phase === 'closing', patiently);
  socket.write('1]');
  await once(socket, 'close');
  await stopped;
  expect(readAnswers(text()).map(({ status }) => status)).toEqual([200]);
  expect(upstream.seen.map(({ body }) => body)).toEqual(['[1]']);
  expect(other.running.bodies.held).toBe(0);
});
