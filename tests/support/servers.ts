/** Finds or provides the real servers that the tests talk to. Never stands anything in for them. */
import { spawnSync } from 'node:child_process';
import { postgresPrograms, startPostgres } from '../fixtures/postgres.ts';
import { startRedis } from '../fixtures/redis.ts';

/** `installed`: brought by us just now. `missing`: `remedy` is the one line to run. */
export type Program =
  | { readonly state: 'found' | 'installed' }
  | { readonly state: 'missing'; readonly remedy: string };

export type Machine = {
  readonly isRoot: boolean;
  /** Whether a program of that name can be started; `postgres` need not be on PATH. */
  readonly has: (program: string) => boolean;
  /** Runs a command to its end; whether it succeeded. */
  readonly run: (command: string, args: readonly string[]) => boolean;
};

/** The machine we are on. What it runs is shown. */
export const thisMachine: Machine = {
  isRoot: process.getuid?.() === 0,
  has: (program) =>
    program === 'postgres'
      ? postgresPrograms() !== null
      : spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined,
  run: (command, args) => {
    console.log(`$ ${command} ${args.join(' ')}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    return spawnSync(command, args, { stdio: 'inherit', env }).status === 0;
  },
};

/** Makes sure there is a `redis-server` on PATH: found, or Debian's, where we may install it. */
export function provideRedisServer(machine: Machine): Program {
  return provide(machine, 'redis-server', 'redis-server', 'put redis-server on PATH, or set REDIS_URL');
}

/** Makes sure there are `postgres` and `initdb`, on PATH or where Debian keeps them. */
export function providePostgres(machine: Machine): Program {
  return provide(machine, 'postgres', 'postgresql', 'put postgres and initdb on PATH, or set DATABASE_URL');
}

export function provide(machine: Machine, program: string, debian: string, elsewhere: string): Program {
  if (machine.has(program)) return { state: 'found' };
  const remedy = `apt-get update && apt-get install -y --no-install-recommends ${debian}`;
  if (!machine.has('apt-get')) return { state: 'missing', remedy: elsewhere };
  if (!machine.isRoot) return { state: 'missing', remedy: `sudo sh -c '${remedy}'` };
  const installed =
    machine.run('apt-get', ['update', '-qq']) &&
    machine.run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', debian]) &&
    machine.has(program);
  return installed ? { state: 'installed' } : { state: 'missing', remedy };
}

export type RunServers = {
  /** What the tests find their servers by. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
};

type Server = { readonly url: string; stop(): Promise<void> };

/**
 * The servers of one test run: those that REDIS_URL and DATABASE_URL name, else our own on free ports.
 * Tests that kill a server start their own and need the programs all the same.
 *
 * @throws Error whose message is the one line to run.
 */
export async function openServers(
  env: Readonly<Record<string, string | undefined>>,
  machine = thisMachine,
): Promise<RunServers> {
  const openings = await Promise.allSettled([
    openServer('Redis', env.REDIS_URL, provideRedisServer(machine), startRedis),
    openServer('PostgreSQL', env.DATABASE_URL, providePostgres(machine), startPostgres),
  ]);
  const opened = openings.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(opened.map((server) => server.stop()));
  };
  const failed = openings.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const [redis, postgres] = opened;
  return { env: { REDIS_URL: redis?.url ?? '', DATABASE_URL: postgres?.url ?? '' }, stop };
}

async function openServer(
  name: string,
  given: string | undefined,
  program: Program,
  start: () => Promise<Server>,
): Promise<Server> {
  if (given !== undefined && given !== '') return { url: given, stop: async () => {} };
  if (program.state === 'missing') throw new Error(`the tests need a real ${name}: ${program.remedy}`);
  return start();
}
