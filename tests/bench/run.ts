/**
 * `npm run bench`: Postern and what one would pick instead, side by side on this machine, in turns; docs/speed.md reads it.
 *
 *     npm run bench -- [--rounds 5] [--seconds 2] [--only NAME,NAME] [--json FILE] [--quick] [--scale FILE]
 *
 * NAME is a part of a target's name; the FILE of --scale is what `npm run scale -- --json` wrote, for its goals. What cannot run says so and the rest goes on.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Redis } from 'ioredis';
import { startPostgres } from '../fixtures/postgres.ts';
import { openClient, startRedis } from '../fixtures/redis.ts';
import { provide, thisMachine } from '../support/servers.ts';
import { type Ask, connections, pace, rush } from './load.ts';
import { costOf, freePort, leaveCoreZero, pinning, versions } from './machine.ts';
import { caddy } from './peers/caddy.ts';
import { fastify, fastifyRedis } from './peers/fastify.ts';
import { haproxy } from './peers/haproxy.ts';
import { answer, direct, nginxAuth, nginxAuthRedis, nginxPlain, startUpstream } from './peers/nginx.ts';
import { luaModule, nginxLuaRedis } from './peers/nginx-lua.ts';
import { postern, posternLocal, posternRedis, posternVariants } from './peers/postern.ts';
import type { Caller, Stage, Started, Target } from './peers/stage.ts';
import { redisCpuUs } from './redis-cost.ts';
import { goalsOf, goalsTable, type Names, type Paced, paceTable, type Round, rushTable } from './report.ts';
import type { Figures } from './scale/curve.ts';

const peers: readonly Target[] = [
  nginxPlain,
  nginxAuth,
  nginxAuthRedis,
  nginxLuaRedis,
  haproxy,
  caddy,
  fastify,
  fastifyRedis,
];
const targets: readonly Target[] = [
  direct,
  ...peers,
  postern,
  posternLocal,
  posternRedis,
  ...posternVariants,
];
const names: Names = {
  direct: direct.name,
  nginx: nginxPlain.name,
  ours: { none: postern.name, redis: posternRedis.name },
  auth: { none: nginxAuth.name, redis: nginxAuthRedis.name },
  fastify: { none: fastify.name, redis: fastifyRedis.name },
  lua: nginxLuaRedis.name,
};

const rate = 2000;
const callerCount = 200;
/** Before the first round: most of what runs on Node is compiled by then. */
const warmSeconds = { native: 1, node: 4 } as const;
/** Before each round: while the others had their turn, V8 has thrown away what it had compiled for objects that are gone. */
const warmAgainSeconds = { native: 0, node: 1 } as const;
/** How often a round is tried whose answers are not all 2xx. */
const tries = 3;
const notOnPath = 'is not on PATH';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    json: { type: 'string' },
    scale: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const rounds = values.quick ? 1 : Number(values.rounds);
const seconds = values.quick ? 1 : Number(values.seconds);
if (![rounds, seconds].every((count) => Number.isInteger(count) && count > 0)) {
  throw new Error('--rounds and --seconds take whole numbers from 1');
}
/** Read first: a wrong name must not be told after five minutes. */
const scaleFigures: Figures =
  values.scale === undefined ? {} : JSON.parse(readFileSync(resolve(values.scale), 'utf8')).figures;
const wanted = values.only?.split(',').map((name) => name.trim().toLowerCase());
const chosen = targets.filter(
  ({ name }) => wanted?.some((part) => name.toLowerCase().includes(part)) ?? true,
);

type Entrant = {
  readonly target: Target;
  readonly rounds: Round[];
  readonly paced: Paced[];
  started: Started | null;
  rssMb: number;
  /** Rounds done again, because not every answer was a yes. */
  again: number;
  problem: string | null;
};

/** Debian's packages of the programs that its name alone does not say. */
const packages: Readonly<Record<string, string>> = {
  postgres: 'postgresql',
  [luaModule]: 'libnginx-mod-http-lua lua-nginx-redis',
};
/** A module is a file, no program. */
const machine = {
  ...thisMachine,
  has: (name: string) => (name.startsWith('/') ? existsSync(name) : thisMachine.has(name)),
};
const provided = new Map<string, string | null>();

/** Null: it is there. */
function missing(program: string): string | null {
  const known = provided.get(program);
  if (known !== undefined) return known;
  const found = provide(machine, program, packages[program] ?? program, `put ${program} on PATH`);
  const problem = found.state === 'missing' ? `${program} ${notOnPath}: ${found.remedy}` : null;
  provided.set(program, problem);
  return problem;
}

const askOf = (stage: Stage, { method, body }: Target, { port }: Started): Ask => ({
  port,
  method,
  body,
  path: '/items',
  tokenFile: stage.tokenFile,
});

/** @throws Error saying what it does not do: it would be compared for less work. */
async function hold(stage: Stage, { guards, method, body, name }: Target, { port }: Started): Promise<void> {
  const send = async (path: string, token: string, asMethod = 'GET') => {
    const headers: Record<string, string> = { Authorization: `Bearer ${token}` };
    if (asMethod === 'POST') headers['Content-Type'] = 'application/json';
    const init = { method: asMethod, headers, ...(asMethod === 'POST' ? { body } : {}) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    return { status: response.status, text: await response.text() };
  };
  // Every token once: those kept as bcrypt are known by their digest from then on.
  for (const { token } of stage.callers) {
    const { status, text } = await send('/items', token, method);
    if (status !== 200 || text !== answer)
      throw new Error(`a right token got ${status} ${text.slice(0, 200)}`);
  }
  if (!guards) return;
  const wrong = await send('/items', `bench_${'0'.repeat(40)}`, method);
  if (wrong.status !== 401) throw new Error(`a wrong token got ${wrong.status}`);
  const [caller] = stage.callers;
  const seen = JSON.parse((await send('/seen', caller?.token ?? '')).text);
  if (seen.subject !== caller?.subject) throw new Error(`the upstream was told "${seen.subject}"`);
  if (seen.authorization !== '') throw new Error('the upstream was given the token');
  if (name.includes('assertion') && seen.assertion === '') throw new Error('the upstream has no assertion');
}

/** A machine that is busy elsewhere may keep Redis from answering in time, for a moment. */
async function patiently(stage: Stage, target: Target, started: Started): Promise<void> {
  for (let left = tries; ; left--) {
    try {
      await hold(stage, target, started);
      return;
    } catch (error) {
      if (left === 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

async function enter(stage: Stage, target: Target): Promise<Entrant> {
  const entrant: Entrant = {
    target,
    rounds: [],
    paced: [],
    started: null,
    rssMb: 0,
    again: 0,
    problem: null,
  };
  const absent = target.needs.map(missing).find((problem) => problem !== null);
  if (absent !== undefined) return { ...entrant, problem: absent };
  let started: Started | null = null;
  try {
    started = await target.start(stage);
    await patiently(stage, target, started);
    await rush(askOf(stage, target, started), values.quick ? 1 : warmSeconds[target.runs]);
    return { ...entrant, started };
  } catch (error) {
    await started?.stop();
    return { ...entrant, problem: messageOf(error) };
  }
}

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 300);

async function measure(stage: Stage, entrant: Entrant, redis: Redis | null): Promise<void> {
  const { started } = entrant;
  if (started === null) return;
  const nothing: Round = { cpuUs: Number.NaN, perSecond: Number.NaN, redisUs: Number.NaN };
  for (let left = tries; ; left--) {
    try {
      entrant.rounds.push(await measureOnce(stage, entrant, started, redis));
      return;
    } catch (error) {
      if (left > 1) {
        entrant.again++;
        continue;
      }
      entrant.problem = messageOf(error);
      entrant.rounds.push(nothing);
      return;
    }
  }
}

async function warmAgain(stage: Stage, target: Target, started: Started): Promise<void> {
  const seconds = warmAgainSeconds[target.runs];
  if (seconds > 0) await rush(askOf(stage, target, started), seconds);
}

/** @throws Error if an answer was not 2xx: a refusal is less work. */
async function measureOnce(
  stage: Stage,
  entrant: Entrant,
  started: Started,
  redis: Redis | null,
): Promise<Round> {
  await warmAgain(stage, entrant.target, started);
  const redisBefore = await redisCpuUs(redis);
  const before = costOf(started.pids);
  const { requests, perSecond, refused, broken } = await rush(askOf(stage, entrant.target, started), seconds);
  const after = costOf(started.pids);
  const redisUs = ((await redisCpuUs(redis)) - redisBefore) / requests;
  if (refused + broken > 0) throw new Error(`${refused} answers were not 2xx, ${broken} did not come`);
  entrant.rssMb = after.rssMb;
  const cpuUs = started.pids.length === 0 ? Number.NaN : (after.cpuUs - before.cpuUs) / requests;
  return { cpuUs, perSecond, redisUs };
}

async function measurePaced(stage: Stage, entrant: Entrant): Promise<void> {
  const { target, started, paced } = entrant;
  if (started === null || !target.paced) return;
  try {
    await warmAgain(stage, target, started);
    const before = costOf(started.pids);
    const { p50, p99, refused } = await pace(askOf(stage, target, started), rate, seconds);
    if (refused > 0) throw new Error(`${refused} answers were not 200 at the fixed rate`);
    paced.push({ p50, p99, cpuUs: (costOf(started.pids).cpuUs - before.cpuUs) / (rate * seconds) });
  } catch (error) {
    entrant.problem = messageOf(error);
    paced.push({ p50: Number.NaN, p99: Number.NaN, cpuUs: Number.NaN });
  }
}

/** In turns, each time from another beginning, so that nobody always follows the same neighbour's heat. */
async function inTurns(count: number, entrants: readonly Entrant[], work: (one: Entrant) => Promise<void>) {
  for (let round = 0; round < count; round++) {
    const from = (round * 5) % Math.max(1, entrants.length);
    for (const entrant of [...entrants.slice(from), ...entrants.slice(0, from)]) await work(entrant);
    process.stderr.write(`round ${round + 1} of ${count}\n`);
  }
}

function callersIn(folder: string): Pick<Stage, 'callers' | 'tokenFile' | 'callerFile'> {
  const callers: readonly Caller[] = Array.from({ length: callerCount }, (_, n) => ({
    token: `bench_${randomBytes(20).toString('hex')}`,
    subject: `caller-${n}`,
  }));
  const tokenFile = join(folder, 'tokens');
  const callerFile = join(folder, 'callers.map');
  writeFileSync(tokenFile, callers.map(({ token }) => `${token}\n`).join(''));
  writeFileSync(callerFile, callers.map(({ token, subject }) => `${token} ${subject}\n`).join(''));
  return { callers, tokenFile, callerFile };
}

async function main(): Promise<void> {
  for (const program of ['wrk', 'nginx']) {
    const problem = missing(program);
    if (problem !== null) throw new Error(`nothing can be measured: ${problem}`);
  }
  const begun = Date.now();
  leaveCoreZero();
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  // nginx gives up root, and its worker must get in.
  chmodSync(folder, 0o755);
  const redisServer = missing('redis-server') === null ? await startRedis() : null;
  const redis = redisServer === null ? null : openClient(redisServer.url);
  const wantsPostgres = chosen.some(({ needs }) => needs.includes('postgres'));
  const postgres = wantsPostgres && missing('postgres') === null ? await startPostgres() : null;
  const stage: Stage = {
    folder,
    upstreamPort: await freePort(),
    ...callersIn(folder),
    redisUrl: redisServer?.url ?? null,
    postgresUrl: postgres?.url ?? null,
  };
  const upstream = await startUpstream(stage);
  const entrants: Entrant[] = [];
  try {
    for (const target of chosen) entrants.push(await enter(stage, target));
    await inTurns(rounds, entrants, (one) => measure(stage, one, redis));
    const paced = entrants.filter(({ target }) => target.paced);
    await inTurns(values.quick ? 1 : Math.min(3, rounds), paced, (one) => measurePaced(stage, one));
    print(entrants, Math.round((Date.now() - begun) / 1000));
  } finally {
    await Promise.all(entrants.map(({ started }) => started?.stop()));
    await upstream.stop();
    redis?.disconnect();
    await Promise.all([redisServer?.stop(), postgres?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(entrants: readonly Entrant[], tookSeconds: number): void {
  const all = entrants.map(({ target, rounds, paced, rssMb, problem }) => ({
    ...{ name: target.name, limit: target.limit, rounds, paced, rssMb, problem },
  }));
  const goals = goalsOf(all, names, scaleFigures);
  const again = entrants.filter((one) => one.again > 0).map((one) => `${one.target.name} (${one.again})`);
  const cores = pinning.on
    ? 'each target on core 0, wrk, upstream, Redis and PostgreSQL on core 1'
    : `nothing pinned: ${pinning.why}`;
  const how = `${rounds} rounds of ${seconds} s in turns, ${connections} connections, ${callerCount} tokens; ${cores}; ${versions()}; ${tookSeconds} s in all`;
  console.log(`\n${how}\n\n${rushTable(all, names)}\n`);
  if (again.length > 0)
    console.log(`Rounds done again, because not every answer was 2xx: ${again.join('; ')}\n`);
  console.log(`At ${rate} req/s, sent at fixed times\n\n${paceTable(all, names)}\n\n${goalsTable(goals)}`);
  if (values.json === undefined) return;
  const file = resolve(values.json);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `${JSON.stringify({ how, rounds, seconds, rate, again, targets: all, goals }, null, 2)}\n`,
  );
}

await main();
