/** What counting costs: `node tests/bench/limiter.ts`. Starts its own Redis; quote ratios of one run, not figures. */
import type { Redis } from 'ioredis';
import type { Limit } from '../../policy/types.ts';
import { createMemoryLimiter } from '../../store/limiter-memory.ts';
import { createRedisLimiter } from '../../store/limiter-redis.ts';
import { KEY_PREFIX, slidingWindowScript } from '../../store/limiter-script.ts';
import { openClient, startRedis } from '../fixtures/redis.ts';

const SUBJECTS = 1000;
const ROUNDS = 3;
const CALLS = 20_000;
const CLIENTS = 64;
const limit: Limit = {
  name: 'bench',
  quota: 600,
  windowMs: 60_000,
  steps: 60,
  per: [],
  onRedisDown: 'local',
};
const fixedWindow = `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n`;
type Scripted = Redis & Record<'fixed' | 'sliding', (...args: (string | number)[]) => Promise<unknown>>;
type Cost = { redisUs: number; scriptUs: number; nodeUs: number };

const server = await startRedis();
const redis = openClient(server.url) as Scripted;
redis.defineCommand('fixed', { lua: fixedWindow, numberOfKeys: 1 });
redis.defineCommand('sliding', { lua: slidingWindowScript, numberOfKeys: 1 });

const subject = (index: number): string => `bench|tok_${index % SUBJECTS}`;

/** Runs `work` for every index with a fixed number at once. */
async function atOnce(clients: number, work: (index: number) => unknown): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < CALLS) await work(next++);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

/** CPU of both ends per request, and the time Redis says its scripts took. */
async function measure(work: () => Promise<void>): Promise<Cost> {
  await redis.config('RESETSTAT');
  const redisBefore = await redisCpuUs();
  const nodeBefore = process.cpuUsage();
  await work();
  const node = process.cpuUsage(nodeBefore);
  const redisUs = (await redisCpuUs()) - redisBefore;
  const stats = await redis.info('commandstats');
  const scriptUs = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/g)];
  return {
    redisUs: redisUs / CALLS,
    scriptUs: scriptUs.reduce((sum, [, us]) => sum + Number(us), 0) / CALLS,
    nodeUs: (node.user + node.system) / CALLS,
  };
}

async function redisCpuUs(): Promise<number> {
  const text = await redis.info('cpu');
  const seconds = ['used_cpu_user', 'used_cpu_sys'].map((name) =>
    Number(new RegExp(`${name}:([\\d.]+)`).exec(text)?.[1]),
  );
  return seconds.reduce((sum, value) => sum + value, 0) * 1e6;
}

const input = JSON.stringify([1, 1, limit.quota, limit.windowMs * 1000, limit.steps, 1]);
const limiter = createRedisLimiter({ url: server.url, instances: 1, timeoutMs: 2000 });
await limiter.consume([{ limit, key: 'warm', cost: 1 }]);
const contenders: Record<string, () => Promise<void>> = {
  'INCR + PEXPIRE script, each': () =>
    atOnce(CLIENTS, (i) => redis.fixed(`fixed:${subject(i)}`, limit.windowMs)),
  'INCR + PEXPIRE, one at a time': () => atOnce(1, (i) => redis.fixed(`fixed:${subject(i)}`, limit.windowMs)),
  'sliding script, each': () => atOnce(CLIENTS, (i) => redis.sliding(KEY_PREFIX + subject(i), input)),
  'limiter, 64 at once (batches)': () =>
    atOnce(CLIENTS, (i) => limiter.consume([{ limit, key: subject(i), cost: 1 }])),
  'limiter, one at a time': () => atOnce(1, (i) => limiter.consume([{ limit, key: subject(i), cost: 1 }])),
};

const costs = new Map<string, Cost[]>();
for (let round = 0; round < ROUNDS + 1; round += 1) {
  for (const [name, work] of Object.entries(contenders)) {
    const cost = await measure(work);
    // The first round warms both ends up.
    if (round > 0) costs.set(name, [...(costs.get(name) ?? []), cost]);
  }
}
const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const columns = ['redisUs', 'scriptUs', 'nodeUs'] as const;
const rows = [...costs].map(([name, all]) => [
  name,
  ...columns.map((key) => median(all.map((cost) => cost[key]))),
]);
const [base] = rows;
for (const [name, ...values] of rows) {
  const cells = values.map((value, index) => {
    const share = Number(value) / Number(base?.[index + 1]);
    return `${columns[index]} ${Number(value).toFixed(1)} (x${share.toFixed(2)})`;
  });
  console.log(`${String(name).padEnd(32)} ${cells.join('   ')}`);
}

const memory = createMemoryLimiter();
const charges = Array.from({ length: SUBJECTS }, (_, index) => [{ limit, key: subject(index), cost: 1 }]);
for (const phase of ['warm', 'admitted and refused']) {
  const before = process.cpuUsage();
  for (let use = 0; use < 1_000_000; use += 1) memory.consume(charges[use % SUBJECTS] ?? []);
  const { user, system } = process.cpuUsage(before);
  if (phase !== 'warm') console.log(`in process, µs per consume       ${((user + system) / 1e6).toFixed(2)}`);
}
await limiter.close();
await redis.quit();
await server.stop();
