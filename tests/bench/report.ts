/** From what was measured to the tables: plain values in, Markdown out. Held by tests/bench-run.test.ts. */
import type { LimitClass } from './peers/stage.ts';
import type { Figures } from './scale/curve.ts';
import { median, pairedRatio } from './statistics.ts';

/** NaN: not measured in this round. */
export type Round = { readonly cpuUs: number; readonly perSecond: number; readonly redisUs: number };

export type Paced = { readonly p50: number; readonly p99: number; readonly cpuUs: number };

export type Series = {
  readonly name: string;
  readonly limit: LimitClass;
  readonly rounds: readonly Round[];
  /** At the fixed rate; empty: not measured. */
  readonly paced: readonly Paced[];
  readonly rssMb: number;
  /** Why there are no figures, or fewer; null: all went well. */
  readonly problem: string | null;
};

/** The series that others are compared with, by name. */
export type Names = {
  readonly direct: string;
  readonly nginx: string;
  readonly ours: Readonly<Record<'none' | 'redis', string>>;
  readonly auth: Readonly<Record<'none' | 'redis', string>>;
  readonly fastify: Readonly<Record<'none' | 'redis', string>>;
  /** nginx with Lua and Redis. */
  readonly lua: string;
};

export type Goal = {
  readonly what: string;
  readonly must: number;
  readonly aim: number;
  /** Whether more is better. */
  readonly atLeast: boolean;
  /** Null: not measured in this run. */
  readonly measured: number | null;
};

const cpu = (series: Series): readonly number[] => series.rounds.map(({ cpuUs }) => cpuUs);
const perSecond = (series: Series): readonly number[] => series.rounds.map((round) => round.perSecond);
const finite = (figures: readonly number[]): readonly number[] => figures.filter(Number.isFinite);
const show = (figure: number | null, digits: number): string =>
  figure === null || !Number.isFinite(figure) ? '–' : figure.toFixed(digits);

/** Of paired rounds; null: one of them was not measured. */
function ratio(
  all: readonly Series[],
  ours: string,
  theirs: string,
  figures: (series: Series) => readonly number[],
): number | null {
  const [mine, other] = [ours, theirs].map((name) => all.find((series) => series.name === name));
  return mine === undefined || other === undefined ? null : pairedRatio(figures(mine), figures(other));
}

/** What a series adds to the latency of the upstream, in the pass that both were in. */
function added(all: readonly Series[], name: string, direct: string, key: 'p50' | 'p99'): readonly number[] {
  const floor = all.find((series) => series.name === direct)?.paced ?? [];
  const mine = all.find((series) => series.name === name)?.paced ?? [];
  return mine.map((pass, n) => pass[key] - (floor[n]?.[key] ?? Number.NaN));
}

const peerOf = (of: Names['auth'], limit: LimitClass): string => (limit === 'local' ? '' : of[limit]);

function cellsOf(all: readonly Series[], names: Names, series: Series): readonly string[] {
  const { name, limit, rssMb, problem } = series;
  const used = finite(cpu(series));
  const redis = median(finite(series.rounds.map(({ redisUs }) => redisUs)));
  const spread = used.length < 2 ? null : (Math.max(...used) - Math.min(...used)) / median(used);
  const cores = median(finite(series.rounds.map((round) => (round.cpuUs * round.perSecond) / 1e6)));
  return [
    problem === null ? name : `${name}: ${problem}`,
    limit,
    show(median(finite(perSecond(series))), 0),
    show(median(used), 1),
    spread === null ? '–' : `${show(spread * 100, 0)} %`,
    show(cores, 2),
    limit === 'redis' ? show(redis, 1) : '–',
    show(ratio(all, name, names.nginx, cpu), 2),
    show(ratio(all, name, peerOf(names.auth, limit), cpu), 2),
    show(ratio(all, name, peerOf(names.fastify, limit), cpu), 2),
    show(ratio(all, name, peerOf(names.fastify, limit), perSecond), 2),
    show(used.length === 0 ? null : rssMb, 0),
  ];
}

const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '/')).join(' | ')} |`;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The peers side by side, at as much as they take. */
export function rushTable(all: readonly Series[], names: Names): string {
  const head = [
    ...['target', 'limit', 'req/s', 'CPU µs/req', 'spread', 'core', 'Redis µs/req', '× nginx'],
    ...['× auth_request', '× fastify', 'req/s × fastify', 'rss MB'],
  ];
  return table(
    head,
    all.map((series) => cellsOf(all, names, series)),
  );
}

/** Latency and CPU at the fixed rate. */
export function paceTable(all: readonly Series[], names: Names): string {
  const rows = all
    .filter(({ paced }) => paced.length > 0)
    .map(({ name, limit, paced }) => [
      name,
      limit,
      show(median(finite(paced.map(({ p50 }) => p50))), 0),
      ...(['p50', 'p99'] as const).map((key) =>
        name === names.direct ? '–' : show(median(finite(added(all, name, names.direct, key))), 0),
      ),
      name === names.direct ? '–' : show(median(finite(paced.map(({ cpuUs }) => cpuUs))), 0),
    ]);
  return table(['target', 'limit', 'p50 µs', 'added p50 µs', 'added p99 µs', 'CPU µs/req'], rows);
}

const goal = (
  what: string,
  must: number,
  aim: number,
  measured: number | null | undefined,
  atLeast = false,
): Goal => ({ what, must, aim, measured: measured ?? null, atLeast });

/** The goals that `npm run scale` measures. */
export function scaleGoals(figures: Figures): readonly Goal[] {
  const { floodKept, bodyGrowthMb, idleKb, decisionUs, coldSqliteUs, coldPostgresUs } = figures;
  return [
    goal('good traffic kept under 500 wrong bcrypt tokens/s, %', 80, 95, floodKept, true),
    goal('memory growth over 1 GiB up and 1 GiB down, MB', 150, 64, bodyGrowthMb),
    goal('idle keep-alive connection, KB', 20, 10, idleKb),
    goal('decision alone, 500 rows, µs', 3, 1.5, decisionUs),
    goal('cold token from SQLite, 1 M rows, µs CPU', 40, 20, coldSqliteUs),
    goal('cold token from PostgreSQL, 1 M rows, µs CPU', 40, 20, coldPostgresUs),
  ];
}

/** All goals; those that this run does not measure too, so that none is forgotten. */
export function goalsOf(all: readonly Series[], names: Names, scale: Figures = {}): readonly Goal[] {
  const { ours, auth, fastify, direct, lua } = names;
  const limited = ratio(all, ours.redis, ours.none, cpu);
  const latency = pairedRatio(added(all, ours.redis, direct, 'p50'), added(all, auth.redis, direct, 'p50'));
  const perSecondRatio = ratio(all, ours.redis, fastify.redis, perSecond);
  return [
    goal(
      'CPU with Redis limit ÷ nginx + auth_request + Redis',
      0.85,
      0.6,
      ratio(all, ours.redis, auth.redis, cpu),
    ),
    goal('CPU without limit ÷ nginx + auth_request', 1, 0.75, ratio(all, ours.none, auth.none, cpu)),
    goal('requests/s with Redis limit ÷ fastify + bearer + Redis limit', 1.8, 2.8, perSecondRatio, true),
    goal('Redis limit adds, of the request without', 0.35, 0.2, limited === null ? null : limited - 1),
    goal('added p50 at 2,000 req/s ÷ nginx + auth_request + Redis', 1, 0.75, latency),
    goal('CPU with Redis limit ÷ nginx + Lua + Redis', 1.4, 1, ratio(all, ours.redis, lua, cpu)),
    ...scaleGoals(scale),
  ];
}

/** Whether a goal is met; null: nobody knows. */
export function met({ atLeast, measured }: Goal, bound: number): boolean | null {
  if (measured === null) return null;
  return atLeast ? measured >= bound : measured <= bound;
}

export function goalsTable(goals: readonly Goal[]): string {
  const word = (answer: boolean | null): string =>
    answer === null ? 'not measured' : answer ? 'yes' : '**no**';
  const rows = goals.map((goal) => {
    const sign = goal.atLeast ? '≥' : '≤';
    const bounds = [`${sign} ${goal.must}`, `${sign} ${goal.aim}`];
    const answers = [goal.must, goal.aim].map((bound) => word(met(goal, bound)));
    return [goal.what, ...bounds, show(goal.measured, 2), ...answers];
  });
  return table(['goal', 'must', 'aim', 'measured', 'must met', 'aim met'], rows);
}
