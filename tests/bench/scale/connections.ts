/** Against the number of idle connections: what each of them holds, and what requests cost beside them. */
import { residentBytes } from '../../fixtures/process.ts';
import { connections as busy } from '../load.ts';
import { median } from '../statistics.ts';
import { inspectable, openCollector } from './collector.ts';
import {
  type Curve,
  inRounds,
  type Measured,
  plotted,
  show,
  summaryCells,
  summaryHead,
  summaryOf,
  whole,
} from './curve.ts';
import { IdleConnections, openFilesMax } from './idle.ts';
import { type Asked, askFile, configOf, drive, newToken, openGateway, pause, type Stand } from './stand.ts';

/** 1 is what all others are compared with. */
const sizes = { quick: [1, 500], full: [1, 100, 1_000, 5_000, 10_000] } as const;
/** Below it, what else a process does is more than what its connections hold. */
const heldFrom = 500;
/** A process has more open than its connections. */
const otherFiles = 500;

/** After they were opened. */
const restMs = 2_000;
const heldRounds = 3;

const token = newToken();

async function open(stand: Stand, env: Readonly<Record<string, string>> = {}): Promise<Asked> {
  const yaml = configOf(stand, '      GET /items: { allow: { service: items:read } }');
  const gateway = await openGateway(stand, { yaml, tokens: [{ token }], env });
  const asked = { gateway, file: askFile(stand, 'connections', [token]), path: '/items' };
  await drive(stand, asked, stand.warmSeconds);
  return asked;
}

/** KB of each connection: what it holds, and with the garbage that opening all of them has left. */
type Held = { readonly live: number; readonly resident: number };

/** By how many there are, in a process of its own. */
async function held(
  stand: Stand,
  counts: readonly number[],
  notes: string[],
): Promise<ReadonlyMap<number, Held>> {
  const { port, env } = await inspectable();
  const { gateway } = await open(stand, env);
  const idle = new IdleConnections(gateway.port, token, '/items');
  const collector = await openCollector(gateway.pid, port);
  const found = new Map<number, Held>();
  try {
    await collector.collect();
    const before = residentBytes(gateway.pid);
    for (const count of counts.filter((one) => one >= heldFrom)) {
      await idle.setTo(count);
      await pause(restMs);
      const each = (): number => (residentBytes(gateway.pid) - before) / count / 1000;
      const resident = each();
      await collector.collect();
      found.set(count, { live: each(), resident });
    }
    if (idle.lost > 0) notes.push(`${whole(idle.lost)} connections were lost on the way.`);
    return found;
  } finally {
    collector.close();
    idle.close();
    await gateway.stop();
  }
}

async function beside(stand: Stand, counts: readonly number[]): Promise<readonly Measured[]> {
  const asked = await open(stand);
  const idle = new IdleConnections(asked.gateway.port, token, '/items');
  try {
    return await inRounds(counts, stand.rounds, async (count) => {
      await idle.setTo(count);
      await pause(stand.isQuick ? 200 : 1_000);
      return drive(stand, asked, stand.seconds);
    });
  } finally {
    idle.close();
    await asked.gateway.stop();
  }
}

export async function connectionsCurve(stand: Stand): Promise<Curve> {
  const notes = [
    `Each had one answer and is then idle, from ten addresses; ${busy} others are busy. KB: growth of the resident memory, by their number, over a process that has just collected its garbage; held: when it has done so again. What the kernel holds for a socket is not in it.`,
  ];
  const max = openFilesMax() - otherFiles;
  const all = stand.isQuick ? sizes.quick : sizes.full;
  const counts = all.filter((count) => count <= max);
  const skipped = all.filter((count) => count > max).map(whole);
  if (skipped.length > 0)
    notes.push(
      `${skipped.join(' and ')} were skipped: a process may open ${whole(openFilesMax())} files here (ulimit -Hn).`,
    );
  const kilobytes: ReadonlyMap<number, Held>[] = [];
  for (let n = 0; n < (stand.isQuick ? 1 : heldRounds); n++) kilobytes.push(await held(stand, counts, notes));
  const measured = await beside(stand, counts);
  const eachOf = (key: keyof Held): readonly number[] =>
    counts.map((count) => median(kilobytes.map((one) => one.get(count)?.[key] ?? Number.NaN)));
  const [live, resident] = [eachOf('live'), eachOf('resident')];
  const line = (figures: readonly number[]) =>
    counts.map((count, n) => [count, figures[n] ?? Number.NaN] as const);
  const name = `${busy} busy connections`;
  const last = resident.findLast(Number.isFinite);
  return {
    name: 'connections',
    plot: {
      title: 'Connections',
      description:
        'Memory of each idle connection, and CPU per request and requests per second beside them, against their number.',
      x: { label: 'idle connections', log: true, ticks: counts.map((at) => ({ at, text: whole(at) })) },
      panels: [
        {
          y: { label: 'KB each', upTo: 20 },
          lines: [
            { name: 'resident', points: line(resident) },
            { name: 'held', points: line(live) },
          ],
        },
        {
          y: { label: 'CPU µs/request' },
          lines: [{ name, points: line(plotted(measured, 'cpuUs')) }],
        },
        {
          y: { label: 'requests/s' },
          lines: [{ name, points: line(plotted(measured, 'perSecond')) }],
        },
      ],
    },
    table: {
      head: ['idle connections', 'KB each, resident', 'KB each, held', ...summaryHead],
      rows: measured.map((one, n) => [
        whole(counts[n] ?? 0),
        ...[resident[n], live[n]].map((each) => show(each, 1)),
        ...summaryCells(summaryOf(one)),
      ]),
    },
    notes,
    figures: last === undefined || stand.isQuick ? {} : { idleKb: last },
  };
}
