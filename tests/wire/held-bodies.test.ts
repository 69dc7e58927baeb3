/** What changes while a body is on its way, and what would be judged but not sent on. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { explain } from '../../gateway/explain.ts';
import { ask, problemOf, readAnswers, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { patiently } from '../support/busy.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;

const config = (url: string) => `
upstreams: { app: { url: ${url} } }
token_types: { project: { prefix: pro_, grantable: [], attributes: { project: required } } }
limits:
  items: { rate: 5/1m, per: [token], cost: "json:/items#" }
pins:
  app: { kind: bundle_id, from: json:/app_id, first_use: pin, belongs_to: attribute.project, when_missing: allow }
  own: { kind: bundle_id, from: header:X-Own, first_use: pin, belongs_to: token, when_missing: deny }
apis:
  main:
    to: app
    routes:
      POST /app: { allow: { project: any_scope }, pins: [app] }
      POST /own: { allow: { project: any_scope }, pins: [own] }
      POST /items: { allow: { project: any_scope }, limits: [items], body: { max: 50B } }
`;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(config(upstream.url));
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.seen.length = 0;
});

const body = '{"app_id":"com.acme"}';

function headOf(line: string, token: string, ...lines: readonly string[]): string {
  const own = [`Authorization: Bearer ${token}`, 'Content-Type: application/json'];
  return requestBytes(line, [...own, ...lines]);
}

type Upload = { readonly id: string; readonly socket: Socket; readonly ended: Promise<string> };

/** All of a request but its last byte. */
async function beginUpload(): Promise<Upload> {
  const { id, token } = await gateway.mint('project', { attributes: { project: 'mid' } });
  const socket = connect({ port: gateway.port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  socket.write(headOf('POST /app', token, `Content-Length: ${body.length}`) + body.slice(0, -1));
  await vi.waitUntil(() => gateway.running.bodies.held > 0, patiently);
  return { id, socket, ended };
}

test('a token that is revoked while its body comes gets nothing through, and pins nothing', async () => {
  const { id, socket, ended } = await beginUpload();
  await gateway.running.tokens.revoke(id, 'test', null);
  socket.write(body.slice(-1));
  const [answer] = readAnswers(await ended);
  expect(answer?.status).toBe(401);
  expect((await gateway.account(answer?.field('x-request-id') ?? null)).code).toBe('token_revoked');
  expect(upstream.seen).toEqual([]);
  expect(
    (await gateway.running.tokens.pins.list({ pin: 'app', subject: null, after: null, limit: 9 })).pins,
  ).toEqual([]);
});

test('a token that is revoked while it was still being looked up, and its body came, gets nothing through', async () => {
  const { id, token } = await gateway.mint('project', { attributes: { project: 'slow' } });
  const { tokens } = gateway.running;
  const [asked, told] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  // As a database far away: what it read is on its way for long.
  const finding = vi.spyOn(tokens, 'find').mockImplementationOnce((plaintext, types) => {
    finding.mockRestore();
    const found = tokens.find(plaintext, types);
    asked.resolve();
    return told.promise.then(() => found);
  });
  const socket = connect({ port: gateway.port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  const closed = once(socket, 'close');
  socket.write(headOf('POST /app', token, `Content-Length: ${body.length}`));
  await asked.promise;
  socket.write(body);
  await sleep(50);
  await tokens.revoke(id, 'test', null);
  told.resolve();
  await closed;
  expect(readAnswers(text).map(({ status }) => status)).toEqual([401]);
  expect(upstream.seen).toEqual([]);
});

test('an upload that is held is cut within a second of a revoke, and lets go of what it held', async () => {
  const { id, ended } = await beginUpload();
  await gateway.running.tokens.revoke(id, 'test', null);
  const revokedMs = performance.now();
  expect(await ended).toBe('');
  expect(performance.now() - revokedMs).toBeLessThan(1000);
  await vi.waitUntil(() => gateway.running.bodies.held === 0, patiently);
  await vi.waitUntil(() => gateway.lines.some(({ tokenId }) => tokenId === id), patiently);
  const line = gateway.lines.find(({ tokenId }) => tokenId === id);
  expect(line).toMatchObject({ code: 'token_revoked', aborted: true });
  expect(upstream.seen).toEqual([]);
});

test.each([
  ['POST /app', '{"App_Id":"com.evil"}'],
  ['POST /app', '{"app_\\u0049d":"com.evil"}'],
  ['POST /items', `{"Items":[${Array(15).fill(1)}]}`],
])('%s %s: a key that only some readers take for the asked one is 400', async (line, text) => {
  const { token } = await gateway.mint('project', { attributes: { project: 'case' } });
  const answer = await ask(gateway.port, headOf(line, token, `Content-Length: ${text.length}`) + text);
  expect([answer.status, problemOf(answer)?.code]).toEqual([400, 'body_malformed']);
  expect(upstream.seen).toEqual([]);
});

test('explain says of a cost that never fits, and of a chunked body, what the wire says', async () => {
  const { policy } = gateway.running.config();
  const { token } = await gateway.mint('project', { attributes: { project: 'said' } });
  const asked: readonly (readonly [items: number, isChunked: boolean])[] = [
    [6, false],
    [5, true],
    [6, true],
    [40, true],
  ];
  for (const [items, isChunked] of asked) {
    const text = JSON.stringify({ items: Array(items).fill(1) });
    const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${text.length}`;
    const sent = isChunked ? `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n` : text;
    const answer = await ask(gateway.port, headOf('POST /items', token, framing) + sent);
    const told = await explain(policy, {
      method: 'POST',
      target: '/items',
      as: 'project',
      attributes: [],
      headers: isChunked ? [framing] : [],
      body: Buffer.from(text),
    });
    const code = told.ok ? told.value.code : 'complaint';
    expect([items, isChunked, code]).toEqual([items, isChunked, problemOf(answer)?.code ?? null]);
  }
});

test('a field that Connection keeps from the upstream is not there', async () => {
  const { token } = await gateway.mint('project', { attributes: { project: 'hop' } });
  const send = async (...lines: readonly string[]) => {
    const answer = await ask(gateway.port, headOf('POST /own', token, 'Content-Length: 0', ...lines));
    return [answer.status, problemOf(answer)?.code];
  };
  expect(await send('X-Own: a', 'Connection: close, X-Own')).toEqual([403, 'bundle_missing']);
  expect(await send('X-Own: a')).toEqual([200, undefined]);
  expect(await send('X-Own: a', 'Connection: x-own, close')).toEqual([403, 'bundle_missing']);
  const lines = [`Content-Length: ${body.length}`, 'Connection: close, Content-Type'];
  const untyped = await ask(gateway.port, headOf('POST /app', token, ...lines) + body);
  expect([untyped.status, problemOf(untyped)?.code]).toEqual([415, 'body_encoding']);
  expect(upstream.seen).toHaveLength(1);
});
