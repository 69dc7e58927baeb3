/** SIGTERM: nobody who behaves is failed, and the process ends; a second one ends it at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import {
  type ConfigFile,
  configFile,
  eventually,
  type PosternProcess,
  startPostern,
} from '../fixtures/process.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let file: ConfigFile;
let gateway: PosternProcess;
beforeEach(async () => {
  upstream = await startUpstream();
  file = configFile(
    `
upstreams:
  app: { url: ${upstream.url} }
apis:
  main:
    to: app
    routes:
      GET /{rest...}: { allow: public }
`,
    { drain: '{ announce: 500ms, requests: 5s, streams: 300ms }' },
  );
  gateway = await startPostern(file.path);
});
afterEach(async () => {
  await gateway.kill();
  file.remove();
  await upstream.stop();
});

const ready = async (): Promise<boolean> => (await fetch(`${gateway.health}/readyz`)).status === 200;

test('under load, clients that heed the announcement lose no request, and the status is 0', async () => {
  upstream.answer = (_req, res) => void setTimeout(() => res.end('ok'), 3);
  let away = false;
  const seen = new Map<string, number>();
  /** Goes on until its balancer turns away; opens a new connection whenever it was told to. */
  const client = async (): Promise<void> => {
    const connection = new KeepAlive(gateway.port);
    while (!away) {
      const { status, closes } = await connection.get('/x');
      const kind = `${status}${closes ? ' close' : ''}`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }
    connection.close();
  };
  const clients = Array.from({ length: 16 }, client);
  await sleep(150);
  gateway.signal('SIGTERM');
  await eventually('not ready', async () => !(await ready()), 400);
  await sleep(200);
  away = true;
  await Promise.all(clients);
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
  expect([...seen.keys()].sort()).toEqual(['200', '200 close']);
  expect(seen.get('200 close')).toBeGreaterThan(16);
  expect(gateway.stderr()).toBe('');
}, 10_000);

test('a request under way is finished after the listener has closed', async () => {
  upstream.answer = (_req, res) => void setTimeout(() => res.end('at last'), 900);
  const connection = new KeepAlive(gateway.port);
  const pending = connection.get('/slow');
  await sleep(50);
  gateway.signal('SIGTERM');
  await sleep(600);
  await expect(new KeepAlive(gateway.port).get('/late')).rejects.toThrow();
  expect((await pending).body).toBe('at last');
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
});

test('a second SIGTERM ends it at once, with another status', async () => {
  upstream.answer = () => {};
  const connection = new KeepAlive(gateway.port);
  const pending = connection.get('/forever').catch((error: Error) => error);
  await sleep(50);
  gateway.signal('SIGTERM');
  await gateway.line('draining');
  const startedMs = performance.now();
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toEqual({ code: 1, signal: null });
  // The first alone would have waited 5 s.
  expect(performance.now() - startedMs).toBeLessThan(2500);
  expect(await pending).toBeInstanceOf(Error);
});
