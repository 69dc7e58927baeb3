/** What is under way with a token that dies meanwhile: cut, for everyone of that token, and for nobody else. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ClientOptions, WebSocket } from 'ws';
import { openSqliteTokens, type SqliteTokenStore } from '../../store/tokens-sqlite.ts';
import type { GatewayFixture } from '../fixtures/gateway.ts';
import {
  bearer,
  client,
  oneEvent,
  opened,
  type SocketUpstream,
  settled,
  socketConfig,
  startSocketGateway,
  startSocketUpstream,
} from './socket-gateway.ts';
import { collect, dial, until } from './streaming-gateway.ts';

let upstream: SocketUpstream;
let gateway: GatewayFixture;
/** Another process's hand on the database. */
let store: SqliteTokenStore;
beforeAll(async () => {
  upstream = await startSocketUpstream();
  gateway = await startSocketGateway(upstream, '60s');
  store = await openSqliteTokens({ path: join(gateway.folder, 'data/postern.db'), now: Date.now });
});
afterAll(async () => {
  await store.close();
  await gateway.stop();
  await upstream.stop();
});
/** What a test has opened: one that fails leaves nothing in the way of those after it. */
const held: { readonly destroy: () => void }[] = [];
afterEach(async () => {
  for (const one of held.splice(0)) one.destroy();
  upstream.http = oneEvent;
  await settled('nothing in flight', () => gateway.running.life.inFlight === 0 && upstream.open() === 0);
});

async function dialed() {
  const socket = await dial(gateway.port);
  held.push(socket);
  return socket;
}

function granted(path: string, options: ClientOptions): Promise<WebSocket> {
  const ws = client(gateway.port, path, options);
  held.push({ destroy: () => ws.terminate() });
  return opened(ws);
}

/** Writes a column of a token's record, as an operator's other tools would. */
function edit(id: string, column: string, value: string | number): void {
  const database = new Database(join(gateway.folder, 'data/postern.db'));
  database.prepare(`UPDATE tokens SET ${column} = ? WHERE id = ?`).run(value, id);
  database.close();
}

type Stream = { readonly ended: Promise<{ readonly text: string; readonly atMs: number }> };

/** A caller that reads events; resolves once the first has come. */
async function readEvents(token: string, body = ''): Promise<Stream> {
  const socket = await dialed();
  const head =
    body === '' ? 'GET /events HTTP/1.1\r\n' : `POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n`;
  const all = collect(socket).then(({ text }) => ({ text, atMs: performance.now() }));
  const first = until(socket, 'data: first');
  socket.write(`${head}Host: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n${body}`);
  await first;
  return { ended: all };
}

const closed = async (ws: WebSocket): Promise<{ code: number; atMs: number }> => {
  const [code] = await once(ws, 'close');
  return { code, atMs: performance.now() };
};

const linesOf = (id: string) =>
  gateway.lines.filter(({ event, tokenId }) => event === 'request' && tokenId === id);

/** As the metrics have it. */
async function cutSockets(): Promise<number> {
  const metrics = await (await fetch(`${gateway.running.health}/metrics`)).text();
  const series =
    'postern_requests_total{route="main GET /live",type="user",code="token_revoked",status="101"} ';
  return Number(metrics.split(series)[1]?.split('\n')[0] ?? 0);
}

test('200 streams of one token are cut within a second of a revoke by another process; another’s go on', async () => {
  const before = await cutSockets();
  const doomed = await gateway.mint('user', { scopes: ['live:read'] });
  const other = await gateway.mint('user', { scopes: ['live:read'] });
  const events = await Promise.all(Array.from({ length: 100 }, () => readEvents(doomed.token)));
  const sockets = await Promise.all(
    Array.from({ length: 100 }, () => granted('/live', bearer(doomed.token))),
  );
  const bystander = await granted('/live', bearer(other.token));
  const spared = await readEvents(other.token);
  const closings = sockets.map(closed);
  await store.revoke(doomed.id, 'another process', null);
  const revokedMs = performance.now();
  const ends = await Promise.all(events.map(({ ended }) => ended));
  const closes = await Promise.all(closings);
  expect(Math.max(...[...ends, ...closes].map(({ atMs }) => atMs)) - revokedMs).toBeLessThan(1000);
  // No last chunk, no close frame: nobody takes it for a proper end.
  expect(ends.every(({ text }) => !text.includes('\r\n0\r\n'))).toBe(true);
  expect(new Set(closes.map(({ code }) => code))).toEqual(new Set([1006]));

  bystander.send('still here');
  expect(String((await once(bystander, 'message'))[0])).toBe('still here');
  await settled('accounted', () => linesOf(doomed.id).length === 200);
  expect(
    new Set(linesOf(doomed.id).map(({ status, code, aborted }) => `${status} ${code} ${aborted}`)),
  ).toEqual(new Set(['101 token_revoked true', '200 token_revoked true']));
  expect((await cutSockets()) - before).toBe(100);
  bystander.terminate();
  await store.revoke(other.id, 'the end', null);
  await spared.ended;
});

describe('within a second is cut what runs on a token that', () => {
  test.each([
    ['expires', (id: string) => edit(id, 'expires_at', Date.now() + 100), 'token_expired'],
    [
      'was rotated, and its overlap ends',
      (id: string) => edit(id, 'retire_at', Date.now() + 100),
      'token_expired',
    ],
    ['is disabled', (id: string) => edit(id, 'disabled_at', Date.now()), 'token_disabled'],
    ['is no longer there', (id: string) => edit(id, 'id', `${id}_gone`), 'token_unknown'],
  ])('%s', async (_what, end, code) => {
    const { id, token } = await gateway.mint('user', { scopes: ['live:read'] });
    const events = await readEvents(token);
    const ws = await granted('/live', bearer(token));
    const closing = closed(ws);
    end(id);
    const endMs = performance.now();
    const ends = await Promise.all([events.ended, closing]);
    expect(Math.max(...ends.map(({ atMs }) => atMs)) - endMs).toBeLessThan(1000);
    await settled('accounted', () => linesOf(id).length === 2);
    expect(linesOf(id)).toMatchObject([
      { code, aborted: true },
      { code, aborted: true },
    ]);
  });

  test('expires, on a token minted so', async () => {
    const expiresAt = Date.now() + 600;
    const { token } = await gateway.mint('user', { scopes: ['live:read'], expiresAt });
    const ws = await granted('/live', bearer(token));
    expect((await closed(ws)).code).toBe(1006);
    expect(Date.now() - expiresAt).toBeGreaterThanOrEqual(0);
    expect(Date.now() - expiresAt).toBeLessThan(500);
  });
});

test('an upload is cut, and its upstream hears that it is not whole', async () => {
  const { id, token } = await gateway.mint('user', { scopes: ['live:read'] });
  const heard = Promise.withResolvers<Error>();
  const began = Promise.withResolvers<void>();
  upstream.http = (req: IncomingMessage) => {
    req.once('data', () => began.resolve());
    req.on('error', heard.resolve);
  };
  const socket = await dialed();
  const all = collect(socket);
  socket.write(
    `POST /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1000\r\n\r\nsome`,
  );
  await began.promise;
  await store.revoke(id, 'another process', null);
  expect((await all).text).toBe('');
  expect(await heard.promise).toBeInstanceOf(Error);
  await settled('accounted', () => linesOf(id).length === 1);
  expect(linesOf(id)[0]).toMatchObject({ code: 'token_revoked', aborted: true, status: 0 });
});

test('a reload without the type cuts its streams', async () => {
  const { token } = await gateway.mint('page');
  const ws = await granted('/page', {
    headers: { Cookie: `sid=${token}`, Origin: 'https://app.test' },
  });
  const closing = closed(ws);
  gateway.rewrite(
    socketConfig(upstream.url, '60s')
      .replace(/ {2}page: .*\n/, '')
      .replace(/ {2}pages:[\s\S]*$/, '')
      .replace(/cors:\n.*\n/, ''),
  );
  expect(await gateway.running.reload()).toBe(true);
  expect((await closing).code).toBe(1006);
});
