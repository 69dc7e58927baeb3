/** Against the size of a body, up and down: how fast it passes, what it costs, and what memory it takes. */
import { join } from 'node:path';
import { residentBytes } from '../../fixtures/process.ts';
import { costOf, freePort, launch } from '../machine.ts';
import { BodyCaller, type Direction } from './body-bytes.ts';
import { type Curve, inRounds, type Measured, type Sample, show, summaryOf, times } from './curve.ts';
import { askFile, configOf, drive, type Gateway, newToken, openGateway, pause, type Stand } from './stand.ts';

const KiB = 1024;
const MiB = KiB * KiB;
const GiB = KiB * MiB;
const sizes = {
  quick: [0, 64 * KiB, 16 * MiB],
  full: [0, KiB, 64 * KiB, MiB, 16 * MiB, 256 * MiB, GiB],
} as const;
const directions: readonly Direction[] = ['up', 'down'];
const callersMax = 8;
/** From here on one body at a time fills the core. */
const aloneFrom = 16 * MiB;
/** What passes before memory is looked at, so that it is not the first body of all. */
const firstBytes = 8 * MiB;
const sampleEveryMs = 50;

const token = newToken();

function sizeText(bytes: number): string {
  const units = [
    [GiB, 'GiB'],
    [MiB, 'MiB'],
    [KiB, 'KiB'],
  ] as const;
  const [unit, name] = units.find(([one]) => bytes >= one) ?? [1, 'B'];
  return `${bytes / unit} ${name}`;
}

const routes = `      GET /{size}: { allow: { service: items:read } }
      POST /{size}: { allow: { service: items:read }, body: { max: none } }`;

/** Before `upstreamPort`, where bodies are taken and made. */
async function open(stand: Stand, upstreamPort: number, warmSeconds: number): Promise<Gateway> {
  const yaml = configOf({ ...stand, upstreamPort }, routes);
  const gateway = await openGateway(stand, { yaml, tokens: [{ token }] });
  await drive(stand, { gateway, file: askFile(stand, 'bodies', [token]), path: '/0' }, warmSeconds);
  for (const direction of directions) await pass(gateway, direction, firstBytes, 0);
  return gateway;
}

/** Bodies of this size, one after the other on each connection, for so long, but one at least. */
async function pass(gateway: Gateway, direction: Direction, bytes: number, seconds: number): Promise<Sample> {
  const callers = Array.from(
    { length: bytes < aloneFrom ? callersMax : 1 },
    () => new BodyCaller(gateway.port, token),
  );
  const began = performance.now();
  const before = costOf([gateway.pid]).cpuUs;
  let bodies = 0;
  const call = async (caller: BodyCaller): Promise<void> => {
    do {
      await caller.send(direction, bytes);
      bodies++;
    } while (performance.now() - began < seconds * 1000);
  };
  try {
    await Promise.all(callers.map(call));
  } finally {
    for (const caller of callers) caller.close();
  }
  const tookSeconds = (performance.now() - began) / 1000;
  return { cpuUs: (costOf([gateway.pid]).cpuUs - before) / bodies, perSecond: bodies / tookSeconds };
}

/** The most that the memory of a process grew over what it had before its bodies, in MB. */
async function growthOf(
  stand: Stand,
  upstreamPort: number,
  direction: Direction,
  bytes: number,
): Promise<number> {
  // No other load before: what that leaves behind could be used again, and would hide what grows.
  const gateway = await open(stand, upstreamPort, 0);
  try {
    const before = residentBytes(gateway.pid);
    let most = before;
    const sample = (): void => {
      most = Math.max(most, residentBytes(gateway.pid));
    };
    const sampler = setInterval(sample, sampleEveryMs);
    await pass(gateway, direction, bytes, stand.seconds);
    clearInterval(sampler);
    sample();
    return (most - before) / 1e6;
  } finally {
    await gateway.stop();
  }
}

type Way = {
  readonly direction: Direction;
  readonly measured: readonly Measured[];
  readonly growthMb: readonly number[];
};

/** Each size in a process of its own. The quick run has only one of them: the biggest. */
async function growths(stand: Stand, upstreamPort: number, direction: Direction): Promise<readonly number[]> {
  const all = stand.isQuick ? sizes.quick : sizes.full;
  const found: number[] = [];
  for (const bytes of all) {
    const skipped = stand.isQuick && (bytes !== all.at(-1) || direction !== 'up');
    found.push(skipped ? Number.NaN : await growthOf(stand, upstreamPort, direction, bytes));
  }
  return found;
}

async function measure(stand: Stand, upstreamPort: number): Promise<readonly Way[]> {
  const growthMb: (readonly number[])[] = [];
  for (const direction of directions) growthMb.push(await growths(stand, upstreamPort, direction));
  stand.say('growth of memory is measured');
  const gateway = await open(stand, upstreamPort, stand.warmSeconds);
  const ways: Way[] = [];
  try {
    for (const [n, direction] of directions.entries()) {
      await pass(gateway, direction, 64 * KiB, stand.warmSeconds);
      const all = stand.isQuick ? sizes.quick : sizes.full;
      const measured = await inRounds(all, stand.rounds, async (bytes) => {
        await pause(100);
        return pass(gateway, direction, bytes, stand.seconds / 2);
      });
      ways.push({ direction, measured, growthMb: growthMb[n] ?? [] });
    }
    return ways;
  } finally {
    await gateway.stop();
  }
}

export async function bodiesCurve(stand: Stand): Promise<Curve> {
  const upstreamPort = await freePort();
  const script = join(import.meta.dirname, 'body-upstream.ts');
  const upstream = await launch({
    ...{ command: process.execPath, args: [script, String(upstreamPort)], port: upstreamPort },
    ...{ folder: stand.folder, core: 1 },
  });
  try {
    const ways = await measure(stand, upstreamPort);
    return curveOf(stand.isQuick ? sizes.quick : sizes.full, ways, stand.isQuick);
  } finally {
    await upstream.stop();
  }
}

function curveOf(all: readonly number[], ways: readonly Way[], isQuick: boolean): Curve {
  const linesOf = (figure: (way: Way, n: number, mebibytes: number) => number) =>
    ways.map((way) => ({
      name: way.direction,
      points: all.map((bytes, n) => [bytes, figure(way, n, bytes / MiB)] as const),
    }));
  const summary = ({ measured }: Way, n: number) => summaryOf(measured[n] ?? { samples: [], beside: [] });
  const msPerMiB = (way: Way, n: number, mebibytes: number): number =>
    summary(way, n).cpuUs / 1000 / mebibytes;
  const mibPerSecond = (way: Way, n: number, mebibytes: number): number =>
    summary(way, n).perSecond * mebibytes;
  const growth = Math.max(...ways.map(({ growthMb }) => growthMb.at(-1) ?? Number.NaN));
  return {
    name: 'bodies',
    plot: {
      title: 'Bodies',
      description:
        'Growth of memory, MiB per second, and CPU per MiB, against the size of a body, up and down.',
      x: {
        label: 'bytes in a body',
        log: true,
        ticks: all.filter((bytes) => bytes > 0).map((at) => ({ at, text: sizeText(at) })),
      },
      panels: [
        {
          y: { label: 'growth of memory, MB', upTo: 64 },
          lines: linesOf((way, n) => way.growthMb[n] ?? Number.NaN),
        },
        { y: { label: 'MiB/s' }, lines: linesOf(mibPerSecond) },
        { y: { label: 'CPU ms/MiB', log: true }, lines: linesOf(msPerMiB) },
      ],
    },
    table: {
      head: [
        'way',
        'body',
        'bodies/s',
        'MiB/s',
        'CPU µs/body',
        'CPU ms/MiB',
        '× no body, CPU',
        'memory grew, MB',
      ],
      rows: ways.flatMap((way) =>
        all.map((bytes, n) => {
          const { cpuUs, perSecond, cpuRatio } = summary(way, n);
          const [speed, cost] = [mibPerSecond(way, n, bytes / MiB), msPerMiB(way, n, bytes / MiB)];
          return [
            way.direction,
            sizeText(bytes),
            show(perSecond, perSecond < 10 ? 1 : 0),
            bytes === 0 ? '–' : show(speed, speed < 10 ? 1 : 0),
            show(cpuUs),
            bytes === 0 ? '–' : show(cost, 2),
            times(cpuRatio),
            show(way.growthMb[n], 1),
          ];
        }),
      ),
    },
    notes: [
      `${callersMax} connections at once below 16 MiB, one from there on; what asks and what answers share core 1, and bound MiB/s. Memory: the most it grew, sampled every ${sampleEveryMs} ms, each size in a process of its own that had 8 MiB before.`,
    ],
    figures: isQuick || !Number.isFinite(growth) ? {} : { bodyGrowthMb: growth },
  };
}
