/** Finds or provides the real servers that the tests talk to. Never stands anything in for them. */
import { spawnSync } from 'node:child_process';
import { startRedis } from '../fixtures/redis.ts';

/** `installed`: brought by us just now. `missing`: `remedy` is the one line to run. */
export type Program =
  | { readonly state: 'found' | 'installed' }
  | { readonly state: 'missing'; readonly remedy: string };

export type Machine = {
  readonly isRoot: boolean;
  /** Whether a program of that name can be started. */
  readonly has: (program: string) => boolean;
  /** Runs a command to its end; whether it succeeded. */
  readonly run: (command: string, args: readonly string[]) => boolean;
};

/** The machine we are on. What it runs is shown. */
export const thisMachine: Machine = {
  isRoot: process.getuid?.() === 0,
  has: (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined,
  run: (command, args) => {
    console.log(`$ ${command} ${args.join(' ')}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    return spawnSync(command, args, { stdio: 'inherit', env }).status === 0;
  },
};

/** Makes sure there is a `redis-server` on PATH: found, or Debian's, where we may install it. */
export function provideRedisServer(machine: Machine): Program {
  if (machine.has('redis-server')) return { state: 'found' };
  const remedy = 'apt-get update && apt-get install -y --no-install-recommends redis-server';
  if (!machine.has('apt-get')) {
    return { state: 'missing', remedy: 'put redis-server on PATH, or set REDIS_URL' };
  }
  if (!machine.isRoot) return { state: 'missing', remedy: `sudo sh -c '${remedy}'` };
  const installed =
    machine.run('apt-get', ['update', '-qq']) &&
    machine.run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'redis-server']) &&
    machine.has('redis-server');
  return installed ? { state: 'installed' } : { state: 'missing', remedy };
}

export type RunServers = {
  /** What the tests find their servers by. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
};

/**
 * The servers of one test run: the Redis that REDIS_URL names, else one of our own on a free port.
 * Tests that kill a server start their own and need the program all the same.
 *
 * @throws Error whose message is the one line to run.
 */
export async function openServers(
  env: Readonly<Record<string, string | undefined>>,
  machine = thisMachine,
): Promise<RunServers> {
  const program = provideRedisServer(machine);
  const given = env.REDIS_URL ?? '';
  if (given !== '') return { env: { REDIS_URL: given }, stop: async () => {} };
  if (program.state === 'missing') throw new Error(`the tests need a real Redis: ${program.remedy}`);
  const redis = await startRedis();
  return { env: { REDIS_URL: redis.url }, stop: () => redis.stop() };
}
