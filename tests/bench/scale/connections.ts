/** Against the number of idle connections: what each of them holds, and what requests cost beside them. */
import { residentBytes } from '../../fixtures/process.ts';
import { connections as busy } from '../load.ts';
import { median } from '../statistics.ts';
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
/** Until garbage is gone, as far as it goes by itself. */
const settleMs = { quick: 300, full: 10_000 } as const;

const token = newToken();

async function open(stand: Stand): Promise<Asked> {
  const yaml = configOf(stand, '      GET /items: { allow: { service: items:read } }');
  const gateway = await openGateway(stand, { yaml, tokens: [{ token }] });
  const asked = { gateway, file: askFile(stand, 'connections', [token]), path: '/items' };
  await drive(stand, asked, stand.warmSeconds);
  return asked;
}

/** KB of growth for each connection, by how many there are; in a process of its own. */
async function held(
  stand: Stand,
  counts: readonly number[],
  notes: string[],
): Promise<ReadonlyMap<number, number>> {
  const { gateway } = await open(stand);
  const idle = new IdleConnections(gateway.port, token, '/items');
  const settle = () => pause(stand.isQuick ? settleMs.quick : settleMs.full);
  try {
    await settle();
    // Garbage of the load goes late: twice, so that the beginning is not too high.
    await settle();
    const before = residentBytes(gateway.pid);
    const found = new Map<number, number>();
    for (const count of counts.filter((one) => one >= heldFrom)) {
      await idle.setTo(count);
      await settle();
      found.set(count, (residentBytes(gateway.pid) - before) / count / 1000);
    }
    if (idle.lost > 0) notes.push(`${whole(idle.lost)} connections were lost on the way.`);
    return found;
  } finally {
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
    `Each had one answer and is then idle, from ten addresses; ${busy} others are busy. KB: growth of the resident memory 10 s after they were opened, by their number; what the kernel holds for a socket is not in it.`,
  ];
  const max = openFilesMax() - otherFiles;
  const all = stand.isQuick ? sizes.quick : sizes.full;
  const counts = all.filter((count) => count <= max);
  const skipped = all.filter((count) => count > max).map(whole);
  if (skipped.length > 0)
    notes.push(
      `${skipped.join(' and ')} were skipped: a process may open ${whole(openFilesMax())} files here (ulimit -Hn).`,
    );
  const kilobytes: ReadonlyMap<number, number>[] = [];
  for (let n = 0; n < stand.rounds; n++) kilobytes.push(await held(stand, counts, notes));
  const measured = await beside(stand, counts);
  const heldKb = counts.map((count) => median(kilobytes.map((one) => one.get(count) ?? Number.NaN)));
  const summaries = measured.map(summaryOf);
  const line = (figures: readonly number[]) =>
    counts.map((count, n) => [count, figures[n] ?? Number.NaN] as const);
  const name = `${busy} busy connections`;
  const last = heldKb.findLast(Number.isFinite);
  return {
    name: 'connections',
    plot: {
      title: 'Connections',
      description:
        'Memory of each idle connection, and CPU per request and requests per second beside them, against their number.',
      x: { label: 'idle connections', log: true, ticks: counts.map((at) => ({ at, text: whole(at) })) },
      panels: [
        { y: { label: 'KB each', upTo: 20 }, lines: [{ name: 'idle connections', points: line(heldKb) }] },
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
      head: ['idle connections', 'KB each', 'least', 'most', ...summaryHead],
      rows: summaries.map((summary, n) => {
        const count = counts[n] ?? 0;
        const each = kilobytes.map((one) => one.get(count) ?? Number.NaN);
        const ends = [heldKb[n], Math.min(...each), Math.max(...each)].map((one) => show(one, 1));
        return [whole(count), ...ends, ...summaryCells(summary)];
      }),
    },
    notes,
    figures: last === undefined || stand.isQuick ? {} : { idleKb: last },
  };
}
