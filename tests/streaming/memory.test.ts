/** Big bodies pass through and leave no trace: memory of the gateway while it streams. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { residentBytes } from '../fixtures/process.ts';
import { dial, getOf, postOf, type StreamingGateway, startStreaming } from './streaming-gateway.ts';

const MiB = 1024 * 1024;
/** FULL=1: the whole GiB. */
const bodyBytes = (process.env.FULL === '1' ? 1024 : 256) * MiB;
const growthBytesMax = 64 * MiB;
const chunk = Buffer.alloc(64 * 1024, 'x');

let gateway: StreamingGateway;
beforeEach(async () => {
  gateway = await startStreaming();
  gateway.http = (req, res) => (req.method === 'GET' ? void pour(res, sizeOf(req)) : drainInto(req, res));
});
afterEach(() => gateway.stop());

const sizeOf = (req: IncomingMessage): number => Number(req.url?.split('/').at(-1));

function drainInto(req: IncomingMessage, res: ServerResponse): void {
  let bytes = 0;
  req.on('data', (data: Buffer) => {
    bytes += data.length;
  });
  req.on('end', () => res.end(String(bytes)));
}

/** Writes as fast as it is taken. Resolves when all is written. */
async function pour(into: ServerResponse | Socket, bytes: number): Promise<void> {
  if (!('connecting' in into)) into.setHeader('Content-Length', bytes);
  for (let left = bytes; left > 0; left -= chunk.length) {
    if (!into.write(left < chunk.length ? chunk.subarray(0, left) : chunk)) await once(into, 'drain');
  }
  if (!('connecting' in into)) into.end();
}

async function upload(bytes: number): Promise<number> {
  const socket = await dial(gateway.port);
  let text = '';
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1');
  });
  const ended = once(socket, 'close');
  socket.write(postOf('/http/up', `Content-Length: ${bytes}`, 'Connection: close'));
  await pour(socket, bytes);
  await ended;
  return Number(text.slice(text.lastIndexOf('\r\n') + 2));
}

async function download(bytes: number): Promise<number> {
  const socket = connect({ port: gateway.port, host: '127.0.0.1' });
  let received = 0;
  let head = '';
  socket.on('data', (data: Buffer) => {
    if (head === '') head = data.toString('latin1').split('\r\n\r\n', 1)[0] ?? '';
    received += data.length;
    if (received === head.length + 4 + bytes) socket.destroy();
  });
  socket.write(getOf(`/http/${bytes}`));
  await once(socket, 'close');
  return received - head.length - 4;
}

/** The most that the gateway's memory grew over its start, sampled every 50 ms. */
async function growthDuring(work: () => Promise<number>): Promise<{ growth: number; result: number }> {
  const start = residentBytes(gateway.pid);
  let peak = start;
  const sample = () => {
    peak = Math.max(peak, residentBytes(gateway.pid));
  };
  const sampler = setInterval(sample, 50);
  const result = await work();
  clearInterval(sampler);
  sample();
  return { growth: peak - start, result };
}

test.each([
  ['up', upload],
  ['down', download],
])(
  `${bodyBytes / MiB} MiB %s keep the gateway's memory within 64 MiB of its start`,
  async (way, transfer) => {
    await transfer(8 * MiB);
    const startedMs = performance.now();
    const { growth, result } = await growthDuring(() => transfer(bodyBytes));
    const seconds = (performance.now() - startedMs) / 1000;
    if (process.env.FULL === '1') {
      console.log(
        `${way}: +${(growth / MiB).toFixed(1)} MiB, ${(bodyBytes / MiB / seconds).toFixed(0)} MiB/s`,
      );
    }
    expect(result).toBe(bodyBytes);
    expect(growth).toBeLessThan(growthBytesMax);
  },
  60_000,
);
