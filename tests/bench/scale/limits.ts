/** Against the limits that count a request, and against how much a limit lets through; counted here, and in Redis. */
import type { Redis } from 'ioredis';
import { openClient, startRedis } from '../../fixtures/redis.ts';
import { provide, thisMachine } from '../../support/servers.ts';
import { redisCpuUs } from '../redis-cost.ts';
import { median } from '../statistics.ts';
import {
  type Curve,
  inRounds,
  type Measured,
  plotted,
  type Sample,
  show,
  summaryCells,
  summaryHead,
  summaryOf,
} from './curve.ts';
import { shortText } from './plot.ts';
import { askFile, configOf, drive, newToken, openGateway, type Stand, type TokenRow } from './stand.ts';

const counts = { quick: [0, 8], full: [0, 1, 2, 4, 8] } as const;
const sizes = { quick: [10, 1_000], full: [10, 100, 1_000, 10_000, 1_000_000] } as const;
const exactMax = 1_000;
const windowSeconds = 1;

type Row = { readonly path: string; readonly limits: readonly string[] };

/** Rows that differ in their limits and in nothing else. */
type Setting = {
  readonly rows: readonly Row[];
  /** As a config has them, by name. */
  readonly limits: Readonly<Record<string, string>>;
  readonly tokens: readonly TokenRow[];
  readonly attributes: string;
};

type Redises = { readonly url: string; readonly client: Redis };

type Counted = {
  readonly where: string;
  readonly measured: readonly Measured[];
  /** CPU of Redis a request; empty: it is not asked. */
  readonly redisUs: readonly number[];
};

/** The rows in turns, in one gateway. */
async function count(stand: Stand, where: string, setting: Setting, redis: Redises | null): Promise<Counted> {
  const { rows, limits, tokens, attributes } = setting;
  const down = redis === null ? '' : ', on_redis_down: closed';
  const routes = rows.map(
    (row) => `      GET ${row.path}: { allow: { service: items:read }, limits: [${row.limits.join(', ')}] }`,
  );
  const lines = Object.entries(limits).map(([name, rule]) => `  ${name}: { ${rule}${down} }`);
  const yaml = configOf(stand, routes.join('\n'), `limits:\n${lines.join('\n')}`, attributes);
  const gateway = await openGateway(stand, {
    yaml: redis === null ? yaml : `redis: { url: { env: REDIS_URL }, required: true }\n${yaml}`,
    tokens,
    ...(redis === null ? {} : { env: { REDIS_URL: redis.url } }),
  });
  const file = askFile(
    stand,
    'limits',
    tokens.map(({ token }) => token),
  );
  const spent = new Map<Row, number[]>(rows.map((row) => [row, []]));
  try {
    await drive(stand, { gateway, file, path: rows[0]?.path ?? '' }, stand.warmSeconds);
    const measured = await inRounds(rows, stand.rounds, async (row) => {
      const before = await redisCpuUs(redis?.client ?? null);
      const sample = await drive(stand, { gateway, file, path: row.path }, stand.seconds);
      const us = (await redisCpuUs(redis?.client ?? null)) - before;
      spent.get(row)?.push(us / (sample.perSecond * stand.seconds));
      return sample;
    });
    return {
      where,
      measured,
      redisUs: redis === null ? [] : rows.map((row) => median(spent.get(row) ?? [])),
    };
  } finally {
    await gateway.stop();
  }
}

/** In this process, and in a Redis of our own where there can be one. */
async function countBoth(
  stand: Stand,
  settings: Readonly<Record<string, Setting>>,
  notes: string[],
): Promise<readonly Counted[]> {
  const counted: Counted[] = [];
  for (const [name, setting] of Object.entries(settings))
    counted.push(await count(stand, `${name}in the process`, setting, null));
  const found = provide(thisMachine, 'redis-server', 'redis-server', 'put redis-server on PATH');
  if (found.state === 'missing') {
    notes.push(`Redis was not measured: ${found.remedy}`);
    return counted;
  }
  const server = await startRedis();
  const client = openClient(server.url);
  try {
    for (const [name, setting] of Object.entries(settings))
      counted.push(await count(stand, `${name}in Redis`, setting, { url: server.url, client }));
  } finally {
    client.disconnect();
    await server.stop();
  }
  return counted;
}

function curveOf(
  name: string,
  title: string,
  axis: { readonly head: string; readonly at: readonly number[]; readonly log: boolean },
  counted: readonly Counted[],
  notes: readonly string[],
): Curve {
  const pointsOf = (figures: readonly number[]) =>
    figures.map((figure, n) => [axis.at[n] ?? 0, figure] as const);
  const linesOf = (key: keyof Sample) =>
    counted.map(({ where, measured }) => ({
      name: where,
      points: pointsOf(plotted(measured, key)),
    }));
  return {
    name,
    plot: {
      title,
      description: `CPU per request and requests per second against ${axis.head}, counted in the process and in Redis.`,
      x: { label: axis.head, log: axis.log, ticks: axis.at.map((at) => ({ at, text: shortText(at) })) },
      panels: [
        { y: { label: 'CPU µs/request' }, lines: linesOf('cpuUs') },
        { y: { label: 'requests/s' }, lines: linesOf('perSecond') },
      ],
    },
    table: {
      head: ['counted', axis.head, ...summaryHead, 'Redis µs/req'],
      rows: counted.flatMap(({ where, measured, redisUs }) =>
        measured.map((one, n) => [
          where,
          shortText(axis.at[n] ?? 0),
          ...summaryCells(summaryOf(one)),
          show(redisUs[n], 1),
        ]),
      ),
    },
    notes,
    figures: {},
  };
}

export async function limitsCurve(stand: Stand): Promise<Curve> {
  const at = stand.isQuick ? counts.quick : counts.full;
  const names = Array.from({ length: Math.max(...at) }, (_, n) => `limit-${n}`);
  const setting: Setting = {
    rows: at.map((one) => ({ path: `/with-${one}`, limits: names.slice(0, one) })),
    limits: Object.fromEntries(names.map((name) => [name, 'rate: 1000000/60s, per: [token]'])),
    tokens: Array.from({ length: 200 }, () => ({ token: newToken() })),
    attributes: '',
  };
  const notes: string[] = [];
  const counted = await countBoth(stand, { '': setting }, notes);
  return curveOf('limits', 'Limits of a request', { head: 'limits', at, log: false }, counted, notes);
}

/** How many requests a second this machine carries where nothing is counted. */
async function paceOf(stand: Stand): Promise<number> {
  const token = newToken();
  const yaml = configOf(stand, '      GET /items: { allow: { service: items:read } }');
  const gateway = await openGateway(stand, { yaml, tokens: [{ token }] });
  try {
    const asked = { gateway, file: askFile(stand, 'pace', [token]), path: '/items' };
    await drive(stand, asked, stand.warmSeconds);
    return (await drive(stand, asked, stand.seconds)).perSecond;
  } finally {
    await gateway.stop();
  }
}

/** Limits of all sizes, each shared by as many tokens as keep it about a quarter full. */
function sizedSetting(at: readonly number[], pace: number, rest: string): Setting {
  const bucketsOf = (size: number): number => Math.max(1, Math.ceil((4 * pace * windowSeconds) / size));
  const tokenCount = Math.max(...at.map(bucketsOf));
  const keys = at.map((size) => `key-${size}`);
  return {
    rows: at.map((size) => ({ path: `/up-to-${size}`, limits: [`limit-${size}`] })),
    limits: Object.fromEntries(
      at.map((size) => [
        `limit-${size}`,
        `rate: ${size}/${windowSeconds}s, per: [attribute.key-${size}]${rest}`,
      ]),
    ),
    tokens: Array.from({ length: tokenCount }, (_, n) => ({
      token: newToken(),
      attributes: Object.fromEntries(at.map((size, index) => [keys[index], String(n % bucketsOf(size))])),
    })),
    attributes: keys.map((key) => `${key}: required`).join(', '),
  };
}

export async function limitSizeCurve(stand: Stand): Promise<Curve> {
  const at = stand.isQuick ? sizes.quick : sizes.full;
  const pace = await paceOf(stand);
  const notes = [
    'Per second, in 60 steps; `exact` remembers each use, and lets through 1,000 at most. Each is shared by as many tokens as keep it about a quarter full; the largest is the only one there is.',
  ];
  const exact = sizedSetting(
    at.filter((size) => size <= exactMax),
    pace,
    ', exact: true',
  );
  const settings = { '': sizedSetting(at, pace, ''), ...(stand.isQuick ? {} : { 'exact, ': exact }) };
  const counted = await countBoth(stand, settings, notes);
  return curveOf(
    'limit-size',
    'Size of a limit',
    { head: 'requests let through', at, log: true },
    counted,
    notes,
  );
}
