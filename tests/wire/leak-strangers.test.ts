/** Whoever can sign nothing: what it costs to hold reports of leaks open, and who pays for it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { GatewayFixture } from '../fixtures/gateway.ts';
import { patiently } from '../support/busy.ts';
import { path, report, start, statusOf } from './leak-stage.ts';

const mebibyte = 1024 * 1024;

/** A report of a known key's name that is all there but for its last byte. */
async function begun({ port }: GatewayFixture, from = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: gate.example',
    'Github-Public-Key-Identifier: one',
    'Github-Public-Key-Signature: AAAA',
    `Content-Length: ${mebibyte}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(Buffer.alloc(mebibyte - 1, ' '));
  return socket;
}

/** The status of what comes, or nothing where the connection ends without. */
async function answered(socket: Socket): Promise<number> {
  const text = await new Promise<string>((resolve) => {
    let got = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      got += chunk;
      if (got.includes('\r\n\r\n')) resolve(got);
    });
    socket.on('close', () => resolve(got));
  });
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
}

test('reports that nobody finishes hold nothing of what bodies of requests may hold, and are few from one address', async () => {
  const gateway = await start();
  const sockets = await Promise.all(Array.from({ length: 20 }, () => begun(gateway)));
  const statuses: number[] = [];
  for (const socket of sockets) void answered(socket).then((status) => statuses.push(status));
  await vi.waitFor(() => expect(statuses).toEqual(Array(12).fill(503)), patiently);
  expect(gateway.running.bodies.held).toBe(0);
  const { token } = await gateway.mint('plain');
  for (const socket of sockets) socket.destroy();
  await vi.waitFor(async () => expect((await report(gateway, [{ token }])).status).toBe(200), {
    timeout: 10_000,
  });
  expect(await statusOf(gateway, token)).toBe(401);
});

test('whoever breaks a report off has sent one without a signature', async () => {
  const gateway = await start();
  // One that is left before it was read is none: the next ones make up for it.
  const breakOff = async (): Promise<number> => {
    const socket = await begun(gateway, '127.0.0.2');
    const status = await Promise.race([answered(socket), setTimeout(20, 0)]);
    if (!socket.closed) await once(socket.destroy(), 'close');
    return status;
  };
  const untilRefused = async () => expect(await breakOff()).toBe(429);
  for (let n = 0; n < 10; n++) expect(await breakOff()).toBe(0);
  await vi.waitFor(untilRefused, { timeout: 10_000, interval: 1 });
  const { token } = await gateway.mint('plain');
  expect((await report(gateway, [{ token }])).status).toBe(200);
});
