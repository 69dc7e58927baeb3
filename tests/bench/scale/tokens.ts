/** Against the number of tokens, in SQLite and in PostgreSQL: a look-up by itself, and requests with tokens from all over. */
import { join } from 'node:path';
import { startPostgres } from '../../fixtures/postgres.ts';
import { provide, thisMachine } from '../../support/servers.ts';
import { median } from '../statistics.ts';
import {
  type Curve,
  type Figures,
  inRounds,
  type Measured,
  plotted,
  type Sample,
  show,
  summaryCells,
  summaryHead,
  summaryOf,
  whole,
} from './curve.ts';
import type { Finds } from './finds.ts';
import { shortText } from './plot.ts';
import { askFile, configOf, drive, type Gateway, openGateway, type Stand, writeConfig } from './stand.ts';
import { fillTables, fitting, type Kind, runAlone, serverSettings, type TokenTable } from './token-stores.ts';
import { tokenOf } from './token-tables.ts';

const sizes = { quick: [1_000, 5_000], full: [1_000, 10_000, 100_000, 1_000_000, 10_000_000] } as const;
const goalRows = 1_000_000;
/** Requests take longer to measure than look-ups: one size less. */
const notRequested = 10_000;
/** How many different tokens requests have, where there are so many. */
const askedMax = 100_000;
const findsEach = 10_000;
/** Uses are written every 5 s: a round of that length has them once. */
const roundSeconds = 5;

type Way = { readonly kind: Kind; readonly atOnce: number; readonly name: string };

const sqlite: Way = { kind: 'sqlite', atOnce: 1, name: 'SQLite' };
const postgres: Way = { kind: 'postgres', atOnce: 64, name: 'PostgreSQL, 64 at once' };
/** How look-ups are asked; SQLite answers each before the next can be asked. */
const ways = [sqlite, postgres, { kind: 'postgres', atOnce: 1, name: 'PostgreSQL, one at a time' }] as const;

type Size = {
  readonly table: TokenTable;
  readonly way: Way;
  readonly finds: readonly Finds[];
  readonly lookUps: Measured;
  /** Null: not measured this way, or at this size. */
  readonly requests: Measured | null;
};

const yamlOf = (stand: Stand): string =>
  configOf(stand, '      GET /items: { allow: { service: items:read } }', '', 'tenant: required');

/** Each round of each table is a process of its own. */
async function measureFinds(stand: Stand, way: Way, tables: readonly TokenTable[]): Promise<readonly Size[]> {
  const points: { readonly table: TokenTable; readonly config: string; readonly finds: Finds[] }[] = [];
  for (const table of tables) {
    const { path } = await writeConfig(stand, { yaml: yamlOf(stand), ...table });
    points.push({ table, config: path, finds: [] });
  }
  const script = join(import.meta.dirname, 'finds.ts');
  const measured = await inRounds(points, stand.rounds, async ({ table, config, finds }): Promise<Sample> => {
    const args = [config, table.rows, findsEach, way.atOnce].map(String);
    const found: Finds = JSON.parse(await runAlone([script, ...args], table.env));
    finds.push(found);
    return { cpuUs: found.cpuUs, perSecond: Number.NaN };
  });
  return points.map(({ table, finds }, n) => ({
    ...{ table, way, finds, requests: null },
    lookUps: measured[n] ?? { samples: [], beside: [] },
  }));
}

async function measureRequests(
  stand: Stand,
  tables: readonly TokenTable[],
): Promise<ReadonlyMap<TokenTable, Measured>> {
  const points: { readonly gateway: Gateway; readonly file: string; readonly path: string }[] = [];
  try {
    for (const table of tables) {
      const gateway = await openGateway(stand, { yaml: yamlOf(stand), ...table });
      const count = Math.min(table.rows, askedMax);
      const lines = Array.from({ length: count }, (_, n) => tokenOf((n * 7919) % table.rows));
      const file = askFile(stand, `tokens-${table.kind}-${table.rows}`, lines);
      points.push({ gateway, file, path: '/items' });
    }
    for (const point of points) await drive(stand, point, stand.warmSeconds);
    const seconds = stand.isQuick ? stand.seconds : roundSeconds;
    const measured = await inRounds(points, stand.rounds, (point) => drive(stand, point, seconds));
    return new Map(tables.map((table, n) => [table, measured[n] ?? { samples: [], beside: [] }]));
  } finally {
    await Promise.all(points.map(({ gateway }) => gateway.stop()));
  }
}

async function measureAll(stand: Stand, tables: readonly TokenTable[]): Promise<readonly Size[]> {
  const found: Size[] = [];
  for (const way of stand.isQuick ? [sqlite, postgres] : ways) {
    const own = tables.filter(({ kind }) => kind === way.kind);
    found.push(...(await measureFinds(stand, way, own)));
    stand.say(`look-ups are measured: ${way.name}`);
  }
  const requests = new Map<TokenTable, Measured>();
  for (const { kind } of [sqlite, postgres]) {
    const own = tables.filter((table) => table.kind === kind && table.rows !== notRequested);
    for (const [table, measured] of await measureRequests(stand, own)) requests.set(table, measured);
  }
  return found.map((size) =>
    size.way === sqlite || size.way === postgres
      ? { ...size, requests: requests.get(size.table) ?? null }
      : size,
  );
}

export async function tokensCurve(stand: Stand): Promise<Curve> {
  const notes = [
    'Look-ups: of tokens that the process was not asked for before; the file, or the server, has them in memory. Requests: 64 connections, each request with the next of up to 100,000 tokens from all over the table, so that nearly each of them notes a use of its own.',
  ];
  const program = provide(thisMachine, 'postgres', 'postgresql', 'put postgres and initdb on PATH');
  if (program.state === 'missing') notes.push(`PostgreSQL was not measured: ${program.remedy}`);
  const counts = fitting(stand, stand.isQuick ? sizes.quick : sizes.full, notes);
  const server = program.state === 'missing' ? null : await startPostgres(serverSettings);
  try {
    const tables = await fillTables(stand, counts, server);
    stand.say('tables are filled');
    return curveOf(counts, await measureAll(stand, tables), notes);
  } finally {
    await server?.stop();
  }
}

const medianOf = ({ finds }: Size, key: keyof Finds): number => median(finds.map((one) => one[key]));

function curveOf(counts: readonly number[], found: readonly Size[], notes: readonly string[]): Curve {
  const linesOf = (figure: (size: Size) => number) =>
    ways.map((way) => ({
      name: way.name,
      points: found
        .filter((size) => size.way === way)
        .map((size) => [size.table.rows, figure(size)] as const),
    }));
  const requestLines = (key: keyof Sample) =>
    [sqlite, postgres].map((way) => {
      const own = found.filter((size) => size.way === way && size.requests !== null);
      const figures = plotted(
        own.flatMap(({ requests }) => requests ?? []),
        key,
      );
      return {
        name: `requests, ${way.kind === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`,
        points: own.map(({ table }, n) => [table.rows, figures[n] ?? Number.NaN] as const),
      };
    });
  return {
    name: 'tokens',
    plot: {
      title: 'Tokens',
      description:
        'CPU and p99 of a look-up of a token not asked for before, and CPU and number of requests with such tokens, against the rows of the table.',
      x: { label: 'tokens', log: true, ticks: counts.map((at) => ({ at, text: shortText(at) })) },
      panels: [
        { y: { label: 'look-up, CPU µs' }, lines: linesOf((size) => medianOf(size, 'cpuUs')) },
        { y: { label: 'look-up, p99 µs', log: true }, lines: linesOf((size) => medianOf(size, 'p99Us')) },
        { y: { label: 'request, CPU µs' }, lines: requestLines('cpuUs') },
        { y: { label: 'requests/s' }, lines: requestLines('perSecond') },
      ],
    },
    table: {
      head: ['store', 'tokens', 'MB', 'look-up, CPU µs', '× smallest', 'p50 µs', 'p99 µs', ...summaryHead],
      rows: found.map((size) => [
        size.way.name,
        whole(size.table.rows),
        show(size.table.megabytes),
        show(medianOf(size, 'cpuUs'), 1),
        show(summaryOf(size.lookUps).cpuRatio, 2),
        show(medianOf(size, 'p50Us'), 1),
        show(medianOf(size, 'p99Us'), 1),
        ...(size.requests === null ? summaryHead.map(() => '–') : summaryCells(summaryOf(size.requests))),
      ]),
    },
    notes,
    figures: figuresOf(found),
  };
}

function figuresOf(found: readonly Size[]): Figures {
  const [coldSqliteUs, coldPostgresUs] = [sqlite, postgres].map((way) => {
    const size = found.find((one) => one.way === way && one.table.rows === goalRows);
    return size === undefined ? undefined : medianOf(size, 'cpuUs');
  });
  return {
    ...(coldSqliteUs === undefined ? {} : { coldSqliteUs }),
    ...(coldPostgresUs === undefined ? {} : { coldPostgresUs }),
  };
}
