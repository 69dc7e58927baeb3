/**
 * Sends at fixed times, whatever was answered, and measures from the time a request was to be sent: an answer that is
 * late makes the next ones late too, as it would for their callers. By itself: PORT RATE SECONDS TOKENS PATH; prints µs.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { quantile } from './statistics.ts';

const [port = '', rate = '', seconds = '', tokenFile = '', path = ''] = process.argv.slice(2);
const connections = 64;
const intervalUs = 1e6 / Number(rate);
const due = Number(rate) * Number(seconds);
// The first part fills connections, and does not count.
const firstCounted = Math.floor(due / 10);

const requests = readFileSync(tokenFile, 'latin1')
  .trim()
  .split('\n')
  .map((token) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`);

type Line = { readonly socket: Socket; intendedUs: number; counts: boolean; text: string };

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
const idle: Line[] = [];
const waiting: { readonly n: number; readonly intendedUs: number }[] = [];
const latencies: number[] = [];
let refused = 0;
let answered = 0;

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', resolve);
    const line: Line = { socket, intendedUs: 0, counts: false, text: '' };
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => take(line, chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('a connection was closed')));
    idle.push(line);
  });
}

/** Answers have a Content-Length or chunks, and nothing is sent on before one is whole. */
function take(line: Line, chunk: string): void {
  line.text += chunk;
  const headEnd = line.text.indexOf('\r\n\r\n');
  if (headEnd < 0) return;
  const length = /\r\ncontent-length: *(\d+)/i.exec(line.text.slice(0, headEnd + 2))?.[1];
  const whole =
    length === undefined
      ? line.text.endsWith('\r\n0\r\n\r\n')
      : line.text.length >= headEnd + 4 + Number(length);
  if (!whole) return;
  if (line.counts) latencies.push(nowUs() - line.intendedUs);
  if (!line.text.startsWith('HTTP/1.1 200')) refused++;
  line.text = '';
  answered++;
  const next = waiting.shift();
  if (next === undefined) idle.push(line);
  else send(line, next.n, next.intendedUs);
  if (answered === due) finish();
}

function send(line: Line, n: number, intendedUs: number): void {
  line.intendedUs = intendedUs;
  line.counts = n >= firstCounted;
  line.socket.write(requests[n % requests.length] ?? '', 'latin1');
}

function finish(): void {
  const p50 = quantile(latencies, 0.5);
  const p99 = quantile(latencies, 0.99);
  process.stdout.write(`${JSON.stringify({ p50, p99, refused })}\n`, () => process.exit(0));
}

process.on('unhandledRejection', (error) => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
});
await Promise.all(Array.from({ length: connections }, open));

// Timers here are of whole milliseconds; a thread that sleeps for less says when it is time.
const clock = new Worker(
  `const { parentPort, workerData } = require('node:worker_threads');
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const start = process.hrtime.bigint();
  for (let n = 1; ; n++) {
    const left = n * workerData - Number(process.hrtime.bigint() - start) / 1000;
    if (left > 0) Atomics.wait(pause, 0, 0, left / 1000);
    parentPort.postMessage(n);
  }`,
  { eval: true, workerData: intervalUs },
);
const startUs = nowUs() + 50_000;
let sent = 0;
clock.on('message', () => {
  const now = nowUs();
  for (; sent < due && startUs + sent * intervalUs <= now; sent++) {
    const intendedUs = startUs + sent * intervalUs;
    const line = idle.pop();
    if (line === undefined) waiting.push({ n: sent, intendedUs });
    else send(line, sent, intendedUs);
  }
});
setTimeout(() => process.exit(1), Number(seconds) * 1000 + 10_000);
