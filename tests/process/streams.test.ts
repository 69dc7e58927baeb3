/** Streams and WebSockets of a whole process: cut by a revoke on the command line, and at the end of the drain. */
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type ConfigFile,
  configFile,
  type PosternProcess,
  runPostern,
  startPostern,
} from '../fixtures/process.ts';
import {
  bearer,
  client,
  opened,
  type SocketUpstream,
  settled,
  socketConfig,
  startSocketUpstream,
} from '../streaming/socket-gateway.ts';
import { collect, dial, getOf, until } from '../streaming/streaming-gateway.ts';

let upstream: SocketUpstream;
let file: ConfigFile;
let gateway: PosternProcess;
beforeEach(async () => {
  upstream = await startSocketUpstream();
  file = configFile(socketConfig(upstream.url, '60s'), {
    drain: '{ announce: 0s, requests: 200ms, streams: 300ms }',
  });
  gateway = await startPostern(file.path);
});
afterEach(async () => {
  await gateway.kill();
  file.remove();
  await upstream.stop();
});

test('`postern token revoke` cuts a WebSocket before a second has passed', async () => {
  const args = ['--config', file.path, '--json'];
  const created = await runPostern(['token', 'create', '--type', 'user', '--scope', 'live:read', ...args]);
  const { id, token } = JSON.parse(created.stdout);
  const ws = await opened(client(gateway.port, '/live', bearer(token)));
  const closed = once(ws, 'close').then(([code]) => ({ code, atMs: Date.now() }));
  const revoked = await runPostern(['token', 'revoke', id, ...args]);
  const revokedMs = Date.parse(JSON.parse(revoked.stdout).revoked_at);
  const { code, atMs } = await closed;
  expect(code).toBe(1006);
  expect(atMs - revokedMs).toBeLessThan(1000);
  expect(await gateway.line('request')).toMatchObject({ status: 101, code: 'token_revoked', tokenId: id });
});

test('SIGTERM lets streams go on for their time, then cuts them, and the process ends well', async () => {
  const ws = await opened(client(gateway.port, '/open'));
  const events = await dial(gateway.port);
  const cut = collect(events);
  const first = until(events, 'data: first');
  events.write(getOf('/plain'));
  await first;
  const closed = once(ws, 'close');
  gateway.signal('SIGTERM');
  const { time } = await gateway.line('draining');
  ws.send('still here');
  expect(String((await once(ws, 'message'))[0])).toBe('still here');
  expect((await closed)[0]).toBe(1006);
  const { text } = await cut;
  expect(text).not.toContain('\r\n0\r\n');
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
  expect(gateway.stderr()).toBe('');
  expect(Date.now() - Date.parse(String(time))).toBeGreaterThanOrEqual(500);
  const statuses = gateway.lines.filter(({ event }) => event === 'request').map(({ status }) => status);
  expect(statuses.sort()).toEqual([101, 200]);
  await settled('the upstream was let go', () => upstream.open() === 0);
});
