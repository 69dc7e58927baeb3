/** What good traffic keeps while wrong tokens come in that each cost a bcrypt: they begin as a real one does. */
import { hashSync } from 'bcryptjs';
import { pace } from '../load.ts';
import { median } from '../statistics.ts';
import { type Curve, inRounds, type Measured, show, summaryCells, summaryHead, summaryOf } from './curve.ts';
import { type FloodCount, FloodSender } from './flood-sender.ts';
import {
  askFile,
  configOf,
  drive,
  type Gateway,
  newToken,
  openGateway,
  pause,
  type Stand,
  type TokenRow,
} from './stand.ts';

const extraPerSecond = 500;
const cost = 10;
/** As `lookup_chars` says. */
const lookupChars = 12;
/** Rows that callers have used before; cheap to make, for they are not compared again. */
const usedCost = 4;
const steadyRate = 2_000;
const steadySeconds = 1;
/** Before anything is measured, so that the queue is full and the budget is spent. */
const floodFirstMs = 1_500;
/** For what waits for bcrypt. */
const calmMs = 2_000;
const firstUseEveryMs = 100;

/** What comes beside the good traffic, and from how many addresses. */
type Extra = {
  readonly name: string;
  readonly kind: 'nothing' | 'elsewhere' | 'good' | 'unknown' | 'bcrypt';
  readonly addresses: number;
};

/** What all others are compared with: whoever sends them costs the machine something too, which is not the gateway's. */
const elsewhere: Extra = { name: 'good ones, past the gateway', kind: 'elsewhere', addresses: 50 };
const nothing: Extra = { name: 'nothing', kind: 'nothing', addresses: 0 };
const fromOne: Extra = { name: 'wrong ones of a real beginning, 1 address', kind: 'bcrypt', addresses: 1 };
const fromMany: Extra = { name: 'the same, 50 addresses', kind: 'bcrypt', addresses: 50 };
/** What 500 more requests a second cost that need no bcrypt. */
const controls: readonly Extra[] = [
  { name: 'good ones, 50 addresses', kind: 'good', addresses: 50 },
  { name: 'wrong ones of an unknown beginning, 50 addresses', kind: 'unknown', addresses: 50 },
];

type Setting = { readonly budget: boolean; readonly name: string; readonly extras: readonly Extra[] };

const budgets: readonly [Setting, Setting] = [
  { budget: false, name: 'none', extras: [elsewhere, nothing, ...controls, fromOne, fromMany] },
  { budget: true, name: '20/1m', extras: [elsewhere, fromOne, fromMany] },
];

type Found = {
  readonly budget: string;
  readonly extra: Extra;
  readonly measured: Measured;
  /** At the steady rate: µs, and the part that was answered with 200. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly steadyKept: number;
  /** Of good bcrypt tokens that were never used before, the part that got in at the first try. */
  readonly firstUses: number;
  readonly count: FloodCount | null;
};

const legacyRow = (token: string, bcryptCost: number): TokenRow => ({
  token,
  type: 'legacy',
  bcrypt: hashSync(token, bcryptCost),
});

function yamlOf(stand: Stand, budget: boolean): string {
  const legacy = `  legacy: { prefix: legacy_, hash: { use: bcrypt, cost: ${cost}, lookup_chars: ${lookupChars} }, scopes: [items:read] }`;
  const failures = budget ? 'failure_budget: { rate: 20/1m, per: address }' : '';
  const row = '      GET /items: { allow: { service: items:read, legacy: items:read } }';
  return configOf(stand, row, failures).replace('\nscopes:', `\n${legacy}\nscopes:`);
}

async function statusOf({ port }: Gateway, token: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/items`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  await response.arrayBuffer();
  return response.status;
}

/** Each once, at its time. */
async function partThatGetsIn(gateway: Gateway, tokens: readonly string[]): Promise<number> {
  const answers = tokens.map(async (token, n) => {
    await pause(n * firstUseEveryMs);
    return statusOf(gateway, token);
  });
  const good = (await Promise.all(answers)).filter((status) => status === 200);
  return good.length / tokens.length;
}

type Seen = {
  readonly latencies: { readonly p50: number; readonly p99: number; readonly refused: number }[];
  firstUses: number;
  count: FloodCount | null;
};

/** One gateway, and the same good traffic beside each extra in turn. */
async function measure(stand: Stand, { budget, name, extras }: Setting): Promise<readonly Found[]> {
  const [good, used, bait] = [callers('scale_', 100), callers('legacy_', 10), newToken('legacy_')];
  /** Each can be new once. */
  const unused = extras.map(() => [...callers('legacy_', stand.isQuick ? 3 : 20)]);
  const gateway = await openGateway(stand, {
    yaml: yamlOf(stand, budget),
    tokens: [
      ...good.map((token) => ({ token })),
      ...used.map((token) => legacyRow(token, usedCost)),
      ...[bait, ...unused.flat()].map((token) => legacyRow(token, cost)),
    ],
  });
  const file = askFile(stand, `flood-${gateway.port}`, [...good, ...used]);
  const asked = { gateway, file, path: '/items' };
  const seen = extras.map((): Seen => ({ latencies: [], firstUses: Number.NaN, count: null }));
  try {
    for (const token of used) await statusOf(gateway, token);
    await drive(stand, asked, stand.warmSeconds);
    const measured = await inRounds([...extras.entries()], stand.rounds, async ([n, extra]) => {
      const sender = sendExtra(stand, gateway, extra, bait, good[0] ?? '');
      try {
        if (sender !== null) await pause(stand.isQuick ? 200 : floodFirstMs);
        const sample = await drive(stand, asked, stand.seconds);
        const ask = { port: gateway.port, tokenFile: file, method: 'GET', path: '/items', body: '' } as const;
        const pass = stand.isQuick ? null : await pace(ask, steadyRate, steadySeconds);
        if (pass !== null) seen[n]?.latencies.push(pass);
        const fresh = unused[n]?.splice(0) ?? [];
        if (seen[n] !== undefined && fresh.length > 0)
          seen[n].firstUses = await partThatGetsIn(gateway, fresh);
        return sample;
      } finally {
        if (seen[n] !== undefined) seen[n].count = sender?.stop() ?? null;
        if (extra.kind === 'bcrypt') await pause(stand.isQuick ? 200 : calmMs);
      }
    });
    return extras.map((extra, n) => foundOf(name, extra, measured[n], seen[n]));
  } finally {
    await gateway.stop();
  }
}

function foundOf(budget: string, extra: Extra, measured?: Measured, seen?: Seen): Found {
  const passes = seen?.latencies ?? [];
  const [p50Us, p99Us, refused] = (['p50', 'p99', 'refused'] as const).map((key) =>
    median(passes.map((pass) => pass[key])),
  );
  return {
    ...{ budget, extra, measured: measured ?? { samples: [], beside: [] } },
    ...{ p50Us: p50Us ?? Number.NaN, p99Us: p99Us ?? Number.NaN },
    steadyKept: 1 - (refused ?? Number.NaN) / (steadyRate * steadySeconds),
    ...{ firstUses: seen?.firstUses ?? Number.NaN, count: seen?.count ?? null },
  };
}

/** Null: nothing is to be sent. */
function sendExtra(
  { upstreamPort }: Stand,
  gateway: Gateway,
  { kind, addresses }: Extra,
  bait: string,
  good: string,
): FloodSender | null {
  if (kind === 'nothing') return null;
  const port = kind === 'elsewhere' ? upstreamPort : gateway.port;
  const beginning = {
    ...{ good, elsewhere: good },
    ...{ unknown: bait.slice(0, lookupChars - 5), bcrypt: bait.slice(0, lookupChars) },
  }[kind];
  const length = beginning === good ? good.length : bait.length;
  return new FloodSender({ port, path: '/items', beginning, length, perSecond: extraPerSecond, addresses });
}

const callers = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, () => newToken(prefix));

function countText(count: FloodCount | null): string {
  if (count === null) return '–';
  return Object.entries(count.byStatus)
    .map(([status, some]) => `${status}: ${show((some * 100) / count.sent, 1)} %`)
    .join(', ');
}

export async function floodCurve(stand: Stand): Promise<Curve> {
  const found: Found[] = [];
  const quick = [{ ...budgets[0], extras: [elsewhere, fromMany] }];
  for (const one of stand.isQuick ? quick : budgets) found.push(...(await measure(stand, one)));
  const kept = found
    .filter(({ extra }) => extra.kind === 'bcrypt')
    .map(({ measured }) => (summaryOf(measured).perSecondRatio ?? Number.NaN) * 100);
  const least = Math.min(...kept);
  return {
    name: 'flood',
    plot: null,
    table: {
      head: [
        ...['failure budget', `${extraPerSecond}/s beside it`],
        ...summaryHead.map((head) => head.replace('smallest', 'past it')),
        ...[
          'of 2,000/s answered',
          'p50 µs',
          'p99 µs',
          'new good tokens let in at once',
          'those beside it got',
        ],
      ],
      rows: found.map(({ budget, extra, measured, p50Us, p99Us, steadyKept, firstUses, count }) => [
        ...[budget, extra.name, ...summaryCells(summaryOf(measured))],
        ...[percent(steadyKept), show(p50Us), show(p99Us), percent(firstUses), countText(count)],
      ]),
    },
    notes: [
      `Good traffic: as much as one core takes, bcrypt's thread on the same core; 100 tokens kept as SHA-256, 10 as bcrypt that were used before. Wrong ones of a real beginning have the first ${lookupChars} characters of a token that is kept as bcrypt of cost ${cost} alone. New good tokens: kept as bcrypt and never used before, one each ${firstUseEveryMs} ms, without other good traffic.`,
    ],
    figures: stand.isQuick || !Number.isFinite(least) ? {} : { floodKept: least },
  };
}

const percent = (part: number): string => (Number.isFinite(part) ? `${show(part * 100)} %` : '–');
