/** Against the number of rows: requests to every row in turn, how long a start takes, and the decision alone. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Decision, whole as wholeDecision } from '../decision.ts';
import { costOf, pinning } from '../machine.ts';
import {
  type Curve,
  inRounds,
  type Measured,
  plotted,
  type Sample,
  type Summary,
  show,
  summaryCells,
  summaryHead,
  summaryOf,
  whole,
} from './curve.ts';
import type { Tick } from './plot.ts';
import { askFile, configOf, drive, type Gateway, newToken, openGateway, type Stand } from './stand.ts';

const sizes = { quick: [5, 50], full: [5, 50, 500, 5000] } as const;
const goalRows = 500;
const tokens = Array.from({ length: 200 }, () => newToken());

type Point = { readonly rows: number; readonly gateway: Gateway; readonly file: string };

const routesOf = (rows: number): string =>
  Array.from(
    { length: rows },
    (_, n) => `      GET /tenants/{tenant}/things-${n}/{id}: { allow: { service: items:read } }`,
  ).join('\n');

async function open(stand: Stand, rows: number): Promise<Point> {
  const yaml = configOf(stand, routesOf(rows));
  const gateway = await openGateway(stand, { yaml, tokens: tokens.map((token) => ({ token })) });
  const lines = Array.from(
    { length: Math.max(rows, tokens.length) },
    (_, n) => `${tokens[n % tokens.length]} /tenants/acme/things-${(n * 7919) % rows}/7f3a`,
  );
  const point = { rows, gateway, file: askFile(stand, `rows-${rows}`, lines) };
  await drive(stand, { ...point, path: '/' }, stand.warmSeconds);
  return point;
}

/** In a process of its own, on core 0: nothing else has been compiled there. */
function decisions(counts: readonly number[]): readonly Decision[] {
  const script = join(import.meta.dirname, '../config-size.ts');
  const command = [process.execPath, script, ...counts.map(String)];
  const [program = '', ...args] = pinning.on ? ['taskset', '-c', '0', ...command] : command;
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`config-size.ts: ${stderr.trim().slice(-300)}`);
  return JSON.parse(stdout);
}

export async function rowsCurve(stand: Stand): Promise<Curve> {
  const counts = stand.isQuick ? sizes.quick : sizes.full;
  const alone = decisions(counts);
  const points: Point[] = [];
  try {
    for (const rows of counts) points.push(await open(stand, rows));
    const measured = await inRounds(points, stand.isQuick ? 1 : 5, (point) =>
      drive(stand, { ...point, path: '/' }, stand.seconds),
    );
    return curveOf(points, measured, alone);
  } finally {
    await Promise.all(points.map(({ gateway }) => gateway.stop()));
  }
}

function curveOf(points: readonly Point[], measured: readonly Measured[], alone: readonly Decision[]): Curve {
  const summaries = measured.map(summaryOf);
  /** Of every row in turn. */
  const decisionOf = (rows: number): number =>
    alone.findLast((one) => one.rows === rows)?.us[wholeDecision] ?? Number.NaN;
  const least = decisionOf(points[0]?.rows ?? 0);
  const lineOf = (key: keyof Sample) => {
    const figures = plotted(measured, key);
    return points.map(({ rows }, n) => [rows, figures[n] ?? Number.NaN] as const);
  };
  const ticks: readonly Tick[] = points.map(({ rows }) => ({ at: rows, text: whole(rows) }));
  const decided = decisionOf(goalRows);
  return {
    name: 'rows',
    plot: {
      title: 'Rows',
      description:
        'CPU per request, requests per second and CPU of the decision alone against the number of rows.',
      x: { label: 'rows', log: true, ticks },
      panels: [
        {
          y: { label: 'CPU µs/request' },
          lines: [{ name: 'requests', points: lineOf('cpuUs') }],
        },
        { y: { label: 'requests/s' }, lines: [{ name: 'requests', points: lineOf('perSecond') }] },
        {
          y: { label: 'CPU µs/decision' },
          lines: [{ name: 'the decision alone', points: points.map(({ rows }) => [rows, decisionOf(rows)]) }],
        },
      ],
    },
    table: {
      head: ['rows', ...summaryHead, 'decision alone, CPU µs', '× smallest', 'start, ms', 'rss MB'],
      rows: points.map(({ rows, gateway }, n) => [
        whole(rows),
        ...summaryCells(summaries[n] ?? nothing),
        show(decisionOf(rows), 2),
        show(decisionOf(rows) / least, 2),
        show(gateway.startMs),
        show(costOf([gateway.pid]).rssMb),
      ]),
    },
    notes: [],
    figures: Number.isFinite(decided) ? { decisionUs: decided } : {},
  };
}

const nothing: Summary = {
  cpuUs: Number.NaN,
  perSecond: Number.NaN,
  cpuRatio: null,
  perSecondRatio: null,
};
