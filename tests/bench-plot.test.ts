/** What `npm run scale` writes is what it measured: plots, paired rounds, tables of many tokens. Measures nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, test } from 'vitest';
import { openPostgres } from '../store/postgres/open.ts';
import type { OpenTokens } from '../store/tokens.ts';
import { createPostgresTokens } from '../store/tokens-postgres.ts';
import { openSqliteTokens } from '../store/tokens-sqlite.ts';
import { inRounds, plotted, type Sample, summaryCells, summaryOf } from './bench/scale/curve.ts';
import { type Plot, plotSvg, shortText } from './bench/scale/plot.ts';
import { fillPostgres, fillSqlite, tokenOf } from './bench/scale/token-tables.ts';
import { createTestDatabase } from './fixtures/postgres.ts';
import { USER } from './store/token-types.ts';

const plot = (rest: Partial<Plot> = {}): Plot => ({
  title: 'Rows',
  description: 'CPU against rows.',
  x: { label: 'rows', log: true },
  panels: [
    {
      y: { label: 'CPU µs' },
      lines: [
        {
          name: 'SQLite',
          points: [
            [10, 50],
            [100, 100],
          ],
        },
      ],
    },
  ],
  ...rest,
});

const oneLine = (points: readonly (readonly [number, number])[], log = false): Plot =>
  plot({ panels: [{ y: { label: 'y', log }, lines: [{ name: 'one', points }] }] });

/** Where the lines turn, as `x y`. */
const turnsOf = (svg: string): readonly string[] =>
  [...svg.matchAll(/class="s\d" d="M([^"]*)"/g)].flatMap(([, way = '']) => way.split('L'));

/** All that is to be read. */
const textsOf = (svg: string): readonly string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = '']) => text);

/** Every tag that is opened is closed, in order. */
function isWhole(svg: string): boolean {
  const open: string[] = [];
  for (const [, slash, name = '', own] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (slash === '/' && open.pop() !== name) return false;
    if (slash !== '/' && own !== '/') open.push(name);
  }
  return open.length === 0;
}

describe('a plot', () => {
  test('is the same for the same figures, whole, and small', () => {
    const svg = plotSvg(plot());
    expect(plotSvg(plot())).toBe(svg);
    expect(isWhole(svg)).toBe(true);
    expect(svg.length).toBeLessThan(10_000);
  });

  test('can be read by those who do not see it, in the light and in the dark', () => {
    const svg = plotSvg(plot());
    expect(svg).toContain('role="img" aria-labelledby="title description"');
    expect(svg).toContain('<title id="title">Rows</title>');
    expect(svg).toContain('<desc id="description">CPU against rows.</desc>');
    expect(svg).toContain('@media (prefers-color-scheme:dark)');
    expect(svg).not.toMatch(/url\(|@import|https?:(?!\/\/www\.w3\.org\/2000\/svg")/);
  });

  test('says what its lines and axes are', () => {
    expect(textsOf(plotSvg(plot()))).toEqual([
      ...['Rows', 'SQLite', 'CPU µs', '0', '20', '40', '60', '80', '100', '10', '20', '50', '100', 'rows'],
    ]);
  });

  test('takes no text for a tag', () => {
    const nasty = '<b a="1">&amp;';
    const svg = plotSvg(
      plot({
        title: nasty,
        description: nasty,
        x: { label: nasty, ticks: [{ at: 1, text: nasty }] },
        panels: [{ y: { label: nasty }, lines: [{ name: nasty, points: [[1, 1]] }] }],
      }),
    );
    expect(svg).not.toContain('<b');
    expect(svg.split('&lt;b a=&quot;1&quot;&gt;&amp;amp;')).toHaveLength(8);
    expect(isWhole(svg)).toBe(true);
  });

  test('begins at 0, so that what is flat looks flat', () => {
    const flat = plotSvg(
      oneLine([
        [1, 100],
        [10, 100],
      ]),
    );
    expect(turnsOf(flat)).toEqual(['58 24', '372 24']);
    expect(textsOf(flat)).toContain('0');
  });

  test('has as far from 1 to 10 as from 10 to 100 on a log axis', () => {
    const turns = turnsOf(
      plotSvg(
        oneLine(
          [
            [1, 1],
            [10, 10],
            [100, 100],
          ],
          true,
        ),
      ),
    );
    expect(turns).toEqual(['58 216', '215 120', '372 24']);
  });

  test('leaves out what was not measured, and what a log axis has no place for', () => {
    const points = [
      [0, 1],
      [10, Number.NaN],
      [10, 5],
      [100, 0],
      [100, 7],
    ] as const;
    expect(turnsOf(plotSvg(oneLine(points, true)))).toHaveLength(2);
    expect(plotSvg(oneLine(points))).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('of nothing says so, and names the series all the same', () => {
    const svg = plotSvg(oneLine([]));
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['one', 'not measured']));
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    for (const panels of [[], [{ y: { label: 'y', log: true }, lines: [] }]]) {
      const none = plotSvg(plot({ panels }));
      expect(isWhole(none)).toBe(true);
      expect(none).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  test('goes as far as it is told, and has no text in the way of another', () => {
    const x = { label: 'x', ticks: [1, 90, 100].map((at) => ({ at, text: `tick ${at}` })) };
    const lines = [{ name: 'one', points: [[100, 5]] as const }];
    const svg = plotSvg(plot({ x, panels: [{ y: { label: 'y', upTo: 64 }, lines }] }));
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['80', 'tick 1', 'tick 100']));
    expect(textsOf(svg)).not.toContain('tick 90');
  });

  test('gives a line of the same name the same look in every panel', () => {
    const line = (name: string) => ({ name, points: [[1, 1]] as const });
    const panels = [
      { y: { label: 'a' }, lines: [line('one'), line('two')] },
      { y: { label: 'b' }, lines: [line('two'), line('three')] },
    ];
    const looks = [...plotSvg(plot({ panels })).matchAll(/class="s(\d)"/g)].map(([, look]) => Number(look));
    expect(looks).toEqual([0, 1, 1, 2]);
  });

  test.each([
    [0, '0'],
    [0.25, '0.25'],
    [999, '999'],
    [1500, '1.5 k'],
    [10_000_000, '10 M'],
    [2e9, '2 G'],
  ])('%d is written %s', (figure, text) => {
    expect(shortText(figure)).toBe(text);
  });
});

const sample = (figure: number): Sample => ({ cpuUs: figure, perSecond: 1000 / figure });

describe('rounds', () => {
  test('measure the smallest again before, between and after the others', async () => {
    const order: string[] = [];
    await inRounds(['a', 'b', 'c'], 2, async (point) => {
      order.push(point);
      return sample(1);
    });
    expect(order.join('')).toBe('abaca'.repeat(2));
  });

  test('pair each size with the smallest beside it, so that a machine that slows down changes nothing', async () => {
    let speed = 1;
    const measured = await inRounds([1, 3], 3, async (size) => {
      speed *= 1.1;
      return sample(size * speed);
    });
    const [smallest, other] = measured.map(summaryOf);
    expect([smallest?.cpuRatio, smallest?.perSecondRatio]).toEqual([1, 1]);
    // Between 1 and 1.21 the middle is a little more than 1.1.
    expect(other?.cpuRatio).toBeCloseTo(3 / (1.105 / 1.1), 5);
  });

  test('that failed leave the others as they are', () => {
    const samples = [sample(2), sample(Number.NaN), sample(6)];
    const beside = [sample(1), sample(1), sample(2)];
    expect(summaryCells(summaryOf({ samples, beside }))).toEqual(['333', '4.0', '0.42', '2.50']);
    expect(summaryCells(summaryOf({ samples: [], beside: [] }))).toEqual(['–', '–', '–', '–']);
  });

  test('are plotted as the smallest times what is paired', () => {
    const [one, two] = [sample(10), sample(20)];
    const slow = { samples: [sample(60)], beside: [sample(30)] };
    const all = [{ samples: [one, one], beside: [one, one] }, { samples: [two], beside: [one] }, slow];
    expect(plotted(all, 'cpuUs')).toEqual([10, 20, 20]);
    expect(plotted(all, 'perSecond')).toEqual([100, 50, 50]);
    expect(plotted([], 'cpuUs')).toEqual([]);
  });

  test('of no points are none', async () => {
    expect(await inRounds([], 3, async () => sample(1))).toEqual([]);
  });
});

/** The ends of a table of 300, asked of any store. */
async function holdTokens(store: OpenTokens): Promise<void> {
  const type = { ...USER, name: 'service' };
  for (const n of [0, 299]) {
    const found = await store.find(tokenOf(n), [type]);
    expect(found?.attributes).toEqual(new Map([['tenant', `tenant-${n}`]]));
    const page = await store.list({ attributes: new Map([['tenant', `tenant-${n}`]]), limit: 9 });
    expect(page.tokens).toEqual([found]);
  }
  expect(await store.find(tokenOf(300), [type])).toBe(null);
  await store.close();
}

describe('a table of many tokens has the schema of the migrations, and tokens that the store finds', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-plot-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const schemaOf = (path: string): unknown => {
    const db = new Database(path, { readonly: true });
    const all = db.prepare('select name, sql from sqlite_master order by name').all();
    db.close();
    return all;
  };

  test('in SQLite', async () => {
    const [path, empty] = [join(folder, 'many.db'), join(folder, 'empty.db')];
    await fillSqlite(path, 300);
    await (await openSqliteTokens({ path: empty, now: Date.now })).close();
    expect(schemaOf(path)).toEqual(schemaOf(empty));
    await holdTokens(await openSqliteTokens({ path, now: Date.now }));
  });

  test('in PostgreSQL', async () => {
    const [many, empty] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    try {
      await fillPostgres(many.url, 300);
      await (await openPostgres({ url: empty.url })).close();
      const indexes = `select indexdef from pg_indexes where schemaname = 'public' order by 1`;
      expect(await many.query(indexes)).toEqual(await empty.query(indexes));
      const link = await openPostgres({ url: many.url });
      await holdTokens(createPostgresTokens({ link, now: Date.now, serveKnownForMs: null }));
    } finally {
      await Promise.all([many.drop(), empty.drop()]);
    }
  });
});
