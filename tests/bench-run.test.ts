/** The bench's arithmetic is right, and its tables say what was measured and what was not. Starts no peer. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { costOf } from './bench/machine.ts';
import { goalsOf, goalsTable, met, type Names, paceTable, rushTable, type Series } from './bench/report.ts';
import { familyOf, median, pairedRatio, parseStat, quantile, statusKib } from './bench/statistics.ts';

test('a median is the middle, between the two in the middle, or nothing', () => {
  expect(median([9, 1, 100])).toBe(9);
  expect(median([4, 1, 2, 100])).toBe(3);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test('a median leaves what it is given as it is', () => {
  const figures = [3, 1, 2];
  median(figures);
  expect(figures).toEqual([3, 1, 2]);
});

test('ratios are paired by round, so a machine that slows down for both changes nothing', () => {
  expect(pairedRatio([10, 40, 20], [20, 80, 40])).toBe(0.5);
  // The ratio of the medians would be 1.
  expect(pairedRatio([1, 2, 3], [3, 2, 1])).toBe(1);
  expect(pairedRatio([1, 5, 6], [2, 5, 2])).toBe(1);
});

test('a round that one of the two lacks does not count', () => {
  expect(pairedRatio([10, Number.NaN, 30], [10, 1, Number.NaN])).toBe(1);
  expect(pairedRatio([10, 20], [5])).toBe(2);
  expect(pairedRatio([10], [0])).toBe(null);
  expect(pairedRatio([], [1])).toBe(null);
});

test('a quantile is one of the figures', () => {
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
  expect([0, 0.5, 0.99, 1].map((part) => quantile(hundred, part))).toEqual([1, 50, 99, 100]);
  expect(quantile([], 0.5)).toBeNaN();
});

const stat = (pid: number, parent: number, user: number, system: number, name = 'node'): string =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194304 3117 242300 1 196 ${user} ${system} 459 149 20 0 11 0 2817501 5124096 986`;

test('the ticks of a process are read behind its name, whatever that is', () => {
  expect(parseStat(stat(7, 3, 20, 22))).toEqual({ pid: 7, parent: 3, ticks: 42 });
  expect(parseStat(stat(7, 3, 20, 22, 'a) R 9 9 (b'))).toEqual({ pid: 7, parent: 3, ticks: 42 });
  expect(() => parseStat('')).toThrow('no process');
  expect(() => parseStat('7 (cut')).toThrow('no process');
});

test('children count, and their children, and nobody else', () => {
  const all = [stat(5, 4, 1, 0), stat(4, 2, 1, 0), stat(2, 1, 1, 0), stat(3, 1, 1, 0)].map(parseStat);
  expect(familyOf([2], all).map(({ pid }) => pid)).toEqual([5, 4, 2]);
  expect(familyOf([9], all)).toEqual([]);
});

test('the kernel says what a process holds', () => {
  expect(statusKib('Name:\tnginx\nVmHWM:\t 9 kB\nVmRSS:\t    5880 kB\n', 'VmRSS')).toBe(5880);
  expect(statusKib('Name:\tkthreadd\n', 'VmRSS')).toBe(0);
});

test.runIf(process.platform === 'linux')(
  'what a process burns is what the kernel says it costs',
  async () => {
    const before = costOf([process.pid]);
    const burnt = process.cpuUsage();
    while (process.cpuUsage(burnt).user < 50_000) Math.sqrt(Math.random());
    await pause(0);
    const { user, system } = process.cpuUsage(burnt);
    const cost = costOf([process.pid]);
    expect(Math.abs(cost.cpuUs - before.cpuUs - user - system)).toBeLessThan(60_000);
    expect(cost.rssMb).toBeGreaterThan(20);
  },
);

const names: Names = {
  direct: 'direct',
  nginx: 'nginx',
  ours: { none: 'us', redis: 'us + Redis' },
  auth: { none: 'auth', redis: 'auth + Redis' },
  fastify: { none: 'fastify', redis: 'fastify + Redis' },
  lua: 'lua',
};

const series = (name: string, cpuUs: readonly number[], rest: Partial<Series> = {}): Series => ({
  name,
  limit: name.endsWith('Redis') ? 'redis' : 'none',
  rounds: cpuUs.map((one) => ({ cpuUs: one, perSecond: 1e6 / one, redisUs: 5 })),
  paced: [],
  rssMb: 50,
  problem: null,
  ...rest,
});

const paced = (...p50: readonly number[]) => ({
  paced: p50.map((one) => ({ p50: one, p99: 2 * one, cpuUs: 9 })),
});

const all: readonly Series[] = [
  series('direct', [Number.NaN, Number.NaN], paced(100, 200)),
  series('nginx', [10, 20]),
  series('us', [30, 60]),
  series('us + Redis', [36, 72], paced(250, 350)),
  series('auth', [40, 80]),
  series('auth + Redis', [72, 144], paced(400, 500)),
  series('fastify + Redis', [108, 216]),
  series('fastify', [], { problem: 'npm ci: a | in it' }),
];

test('each target is compared with those that do the same work', () => {
  const lines = rushTable(all, names).split('\n');
  expect(lines.find((line) => line.startsWith('| us + Redis'))).toBe(
    '| us + Redis | redis | 20833 | 54.0 | 67 % | 1.00 | 5.0 | 3.60 | 0.50 | 0.33 | 3.00 | 50 |',
  );
});

test('a peer that did not start is a line with the reason', () => {
  expect(rushTable(all, names)).toContain('| fastify: npm ci: a / in it | none | – | – |');
});

test('latency is what is added to the upstream in the same pass', () => {
  expect(paceTable(all, names)).toContain('| us + Redis | redis | 300 | 150 | 300 | 9 |');
});

test('goals say yes and no, and which were not measured', () => {
  const goals = goalsOf(all, names);
  expect(goals.slice(0, 6).map(({ measured }) => measured)).toEqual([
    0.5,
    0.75,
    expect.closeTo(3),
    expect.closeTo(0.2),
    0.5,
    null,
  ]);
  const [cpu] = goals;
  expect(cpu && [met(cpu, 0.5), met(cpu, 0.49), met({ ...cpu, atLeast: true }, 0.5)]).toEqual([
    true,
    false,
    true,
  ]);
  expect(goalsTable(goals)).toContain('| ≤ 1.4 | ≤ 1 | – | not measured | not measured |');
  expect(goalsOf([], names).every(({ measured }) => measured === null)).toBe(true);
});

test('what another run measured is taken for its goals', () => {
  const goals = goalsOf(all, names, { floodKept: 96, idleKb: 12, coldSqliteUs: 41 });
  const table = goalsTable(goals).split('\n');
  expect(goals).toHaveLength(goalsOf(all, names).length);
  expect(table.filter((line) => /kept|idle|SQLite/.test(line))).toEqual([
    '| good traffic kept under 500 wrong bcrypt tokens/s, % | ≥ 80 | ≥ 95 | 96.00 | yes | yes |',
    '| idle keep-alive connection, KB | ≤ 20 | ≤ 10 | 12.00 | yes | **no** |',
    '| cold token from SQLite, 1 M rows, µs CPU | ≤ 40 | ≤ 20 | 41.00 | **no** | **no** |',
  ]);
});

test('the packages of the peers are pinned, and name no registry', () => {
  const folder = new URL('./bench/peers/', import.meta.url);
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(readFileSync(new URL('package-lock.json', folder), 'utf8')).not.toContain('"resolved"');
});
