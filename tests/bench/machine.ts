/** Processes on the cores they are given, and what the kernel says they cost. Linux only: it reads /proc. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { familyOf, type ProcessStat, parseStat, statusKib } from './statistics.ts';

export type Launched = { readonly pid: number; stop(): Promise<void> };

const readyWithinMs = 15_000;

/** None outlives the run, even one that was cut short. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Whether targets get core 0 and everything else core 1; if not, why. */
export const pinning: { readonly on: true } | { readonly on: false; readonly why: string } =
  spawnSync('taskset', ['--version']).error !== undefined
    ? { on: false, why: 'there is no taskset' }
    : availableParallelism() < 2
      ? { on: false, why: 'there is one core' }
      : { on: true };

/** Puts this process, and so what it starts without more ado, on core 1. */
export function leaveCoreZero(): void {
  if (!pinning.on) return;
  const { status } = spawnSync('taskset', ['-a', '-cp', '1', String(process.pid)], { stdio: 'ignore' });
  if (status !== 0) throw new Error('taskset could not move this process to core 1');
}

export type Program = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** It is ready when it takes connections here. */
  readonly port: number;
  /** What it says goes into this folder. */
  readonly folder: string;
  readonly core: 0 | 1;
};

/** @throws Error with the end of what it said, if it does not get as far as listening. */
export async function launch({ command, args, env, port, folder, core }: Program): Promise<Launched> {
  const said = join(folder, `${port}.log`);
  const log = openSync(said, 'w');
  const whole = [command, ...args];
  const [program = command, ...rest] = pinning.on ? ['taskset', '-c', String(core), ...whole] : whole;
  const child = spawn(program, rest, {
    cwd: folder,
    env: { ...process.env, HOME: folder, ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  running.add(child);
  child.once('exit', () => running.delete(child));
  const failed = once(child, 'error').then(([error]) => {
    throw error;
  });
  failed.catch(() => {});
  const patience = Date.now() + readyWithinMs;
  while (!(await Promise.race([accepts(port), failed]))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > patience) {
      child.kill('SIGKILL');
      throw new Error(`${command} does not listen: ${readFileSync(said, 'utf8').trim().slice(-300)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const impatient = setTimeout(() => child.kill('SIGKILL'), 2000);
    await gone;
    clearTimeout(impatient);
  };
  return { pid: child.pid ?? 0, stop };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;

export type Cost = { readonly cpuUs: number; readonly rssMb: number };

/** What these processes and their children have cost so far, and hold now. */
export function costOf(roots: readonly number[]): Cost {
  const family = familyOf(roots, everyProcess());
  const rss = family.map(({ pid }) => readOr(`/proc/${pid}/status`, (text) => statusKib(text, 'VmRSS'), 0));
  return {
    cpuUs: (family.reduce((sum, { ticks }) => sum + ticks, 0) * 1e6) / ticksPerSecond,
    rssMb: rss.reduce((sum, kib) => sum + kib, 0) / 1024,
  };
}

function everyProcess(): readonly ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => readOr<readonly ProcessStat[]>(`/proc/${pid}/stat`, (text) => [parseStat(text)], []));
}

/** Of a file that may be gone, with its process, when it is opened. */
function readOr<T>(path: string, read: (text: string) => T, otherwise: T): T {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    return otherwise;
  }
  return read(text);
}

/** Of what takes part, where it is there. */
export function versions(): string {
  const said = (program: string, flag: string): string => {
    const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' });
    const version = /\d+\.\d+\.\d+/.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[0];
    return version === undefined ? '' : `${program} ${version}`;
  };
  const all = [
    ['nginx', '-v'],
    ['haproxy', '-v'],
    ['caddy', 'version'],
    ['redis-server', '--version'],
  ] as const;
  const found = all.map(([program, flag]) => said(program, flag)).filter((text) => text !== '');
  return [`node ${process.versions.node}`, ...found].join(', ');
}
