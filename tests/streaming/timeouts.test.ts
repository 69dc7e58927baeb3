/** Each phase of an upstream's answer has its own patience: connecting, the first byte, silence in between. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { again } from '../support/busy.ts';
import { collect, dial, getOf } from './streaming-gateway.ts';

/** undici looks at its clock about twice a second. */
const slackMs = 1500;

let upstream: UpstreamFixture;
let deaf: Deaf;
let gateway: GatewayFixture;
beforeAll(async () => {
  [upstream, deaf] = await Promise.all([startUpstream(), startDeaf()]);
  upstream.answer = async (req, res) => {
    if (req.url?.endsWith('/half')) res.write('half');
    if (req.url?.endsWith('/slow') !== true) return;
    for (let i = 0; i < 6; i++) {
      res.write(`${i}`);
      await sleep(100);
    }
    res.end();
  };
  gateway = await startTestGateway(`
upstreams:
  app: { url: ${upstream.url}, timeout: { connect: 300ms, first_byte: 300ms, idle: 300ms } }
  app-undici: { url: ${upstream.url}, timeout: { connect: 300ms, first_byte: 300ms, idle: 300ms }, client: undici }
  deaf: { url: http://127.0.0.1:${deaf.port}, timeout: { connect: 300ms, first_byte: 10s, idle: 10s } }
  deaf-undici: { url: http://127.0.0.1:${deaf.port}, timeout: { connect: 300ms, first_byte: 10s, idle: 10s }, client: undici }
  nobody: { url: http://127.0.0.1:1 }
  nobody-undici: { url: http://127.0.0.1:1, client: undici }
apis:
  main:
    to: app
    routes:
      GET /silent: { allow: public }
      GET /half: { allow: public }
      GET /slow: { allow: public }
      GET /deaf: { allow: public, to: deaf }
      GET /nobody: { allow: public, to: nobody }
      GET /undici/silent: { allow: public, to: app-undici }
      GET /undici/half: { allow: public, to: app-undici }
      GET /undici/slow: { allow: public, to: app-undici }
      GET /undici/deaf: { allow: public, to: deaf-undici }
      GET /undici/nobody: { allow: public, to: nobody-undici }
`);
});
afterAll(async () => {
  deaf.stop();
  await gateway.stop();
  await upstream.stop();
});

type Deaf = { readonly port: number; readonly stop: () => void };

/** A port whose process is stopped and whose queue is full: the kernel answers no SYN any more. */
async function startDeaf(): Promise<Deaf> {
  const script = `const s = require('node:net').createServer();
    s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port));`;
  const child: ChildProcess = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = child.stdout === null ? [] : await once(child.stdout, 'data');
  const port = Number(line);
  child.kill('SIGSTOP');
  const fillers: Socket[] = [];
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    fillers.push(socket);
    if ((await Promise.race([once(socket, 'connect'), sleep(150, null)])) === null) break;
  }
  const stop = (): void => {
    for (const socket of fillers) socket.destroy();
    child.kill('SIGKILL');
  };
  return { port, stop };
}

async function timed(path: string): Promise<{ status: number; code: unknown; ms: number }> {
  const client = new KeepAlive(gateway.port);
  const startedMs = performance.now();
  const { status, body } = await client.get(path);
  client.close();
  return { status, code: JSON.parse(body).code, ms: performance.now() - startedMs };
}

describe.each([
  ['strict', ''],
  ['undici', '/undici'],
])('by the client %s', (_client, way) => {
  test.concurrent('an upstream that refuses is 502 at once', again, async () => {
    const { ms, ...answer } = await timed(`${way}/nobody`);
    expect(answer).toEqual({ status: 502, code: 'upstream_unreachable' });
    expect(ms).toBeLessThan(250);
  });

  test.concurrent('an upstream that does not take the connection is 504 when connect is over', async () => {
    const { ms, ...answer } = await timed(`${way}/deaf`);
    expect(answer).toEqual({ status: 504, code: 'upstream_timeout' });
    expect(ms).toBeGreaterThanOrEqual(290);
    expect(ms).toBeLessThan(300 + slackMs);
  });

  test.concurrent('an upstream that is silent is 504 when first_byte is over', async () => {
    const { ms, ...answer } = await timed(`${way}/silent`);
    expect(answer).toEqual({ status: 504, code: 'upstream_timeout' });
    expect(ms).toBeGreaterThanOrEqual(290);
    expect(ms).toBeLessThan(300 + slackMs);
  });

  test.concurrent('an answer that falls silent is cut when idle is over, and never looks whole', async () => {
    const socket = await dial(gateway.port);
    const startedMs = performance.now();
    const answer = collect(socket);
    socket.write(getOf(`${way}/half`));
    const { text } = await answer;
    const ms = performance.now() - startedMs;
    expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n4\r\nhalf\r\n$/);
    expect(ms).toBeGreaterThanOrEqual(290);
    expect(ms).toBeLessThan(300 + slackMs);
  });

  test.concurrent('an answer that is slow but never silent for long is whole', async () => {
    const client = new KeepAlive(gateway.port);
    expect((await client.get(`${way}/slow`)).body).toBe('012345');
    client.close();
  });
});
