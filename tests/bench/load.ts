/** The two kinds of load: as much as it takes (wrk), and a fixed rate whatever is answered (open-loop.ts). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What is asked of a target. */
export type Ask = {
  readonly port: number;
  /** One token a line, and behind it the path, where it is not that of all. */
  readonly tokenFile: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: string;
};

export type Rush = {
  readonly requests: number;
  readonly perSecond: number;
  /** Answers that were not 2xx, and requests that got none. */
  readonly refused: number;
  readonly broken: number;
};

export const connections = 64;

export async function rush(ask: Ask, seconds: number): Promise<Rush> {
  const script = join(import.meta.dirname, 'load.lua');
  const options = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '-s', script];
  const { tokenFile, method, path, body, port } = ask;
  const asked = [`http://127.0.0.1:${port}`, '--', tokenFile, method, path, body];
  const text = await output('wrk', [...options, ...asked]);
  const { requests, micros, refused, broken } = JSON.parse(text.trim().split('\n').at(-1) ?? '');
  return { requests, perSecond: (requests * 1e6) / micros, refused, broken };
}

export type Pace = { readonly p50: number; readonly p99: number; readonly refused: number };

/** Latencies in µs, from the time a request was to be sent. */
export async function pace(ask: Ask, rate: number, seconds: number): Promise<Pace> {
  const script = join(import.meta.dirname, 'open-loop.ts');
  const args = [script, ask.port, rate, seconds, ask.tokenFile, ask.path].map(String);
  return JSON.parse(await output(process.execPath, args));
}

/** @throws Error with what it said, if it fails. */
async function output(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaint.trim().slice(-300)}`);
  return text;
}
