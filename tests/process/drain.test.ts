/** SIGTERM: nobody who behaves is failed, and the process ends; a second one ends it at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import { configFile, eventually, startPostern } from '../fixtures/process.ts';
import { startUpstream } from '../fixtures/upstream.ts';

async function start(announce: string) {
  const upstream = await startUpstream();
  onTestFinished(upstream.stop);
  const file = configFile(
    `
upstreams:
  app: { url: ${upstream.url} }
apis:
  main:
    to: app
    routes:
      GET /{rest...}: { allow: public }
`,
    { drain: `{ announce: ${announce}, requests: 5s, streams: 300ms }` },
  );
  onTestFinished(file.remove);
  const gateway = await startPostern(file.path);
  onTestFinished(gateway.kill);
  const ready = async (): Promise<boolean> => (await fetch(`${gateway.health}/readyz`)).status === 200;
  return { upstream, gateway, ready };
}

test('under load, clients that heed the announcement lose no request, and the status is 0', async () => {
  // Time enough to hear of it, and to turn away, on a machine that is busy.
  const { upstream, gateway, ready } = await start('1500ms');
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
  await eventually('not ready', async () => !(await ready()), 1200);
  await sleep(200);
  away = true;
  await Promise.all(clients);
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
  expect([...seen.keys()].sort()).toEqual(['200', '200 close']);
  expect(seen.get('200 close')).toBeGreaterThan(16);
  expect(gateway.stderr()).toBe('');
});

test('a request under way is finished after the listener has closed', async () => {
  const { upstream, gateway } = await start('100ms');
  const asked = Promise.withResolvers<() => void>();
  upstream.answer = (_req, res) => asked.resolve(() => res.end('at last'));
  const pending = new KeepAlive(gateway.port).get('/slow');
  const answer = await asked.promise;
  gateway.signal('SIGTERM');
  upstream.answer = (_req, res) => void res.end('in time');
  const isShut = () =>
    new KeepAlive(gateway.port).get('/late').then(
      () => false,
      () => true,
    );
  await eventually('the listener is closed', isShut, 4000);
  answer();
  expect((await pending).body).toBe('at last');
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
});

test('a second SIGTERM ends it at once, with another status', async () => {
  const { upstream, gateway } = await start('500ms');
  const asked = Promise.withResolvers<void>();
  upstream.answer = () => asked.resolve();
  const connection = new KeepAlive(gateway.port);
  const pending = connection.get('/forever').catch((error: Error) => error);
  await asked.promise;
  gateway.signal('SIGTERM');
  await gateway.line('draining');
  const startedMs = performance.now();
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toEqual({ code: 1, signal: null });
  // The first alone would have waited 5 s.
  expect(performance.now() - startedMs).toBeLessThan(2500);
  expect(await pending).toBeInstanceOf(Error);
});
