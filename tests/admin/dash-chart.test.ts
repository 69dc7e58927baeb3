/** Charts say what was counted, whatever was counted: as bars, as a picture's words and as a table. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bar, barsOf, chart, spanUpTo, sumOf } from '../../gateway/admin/dash-chart.ts';

const count = fc.oneof(fc.constant(0), fc.nat(9), fc.nat(100_000), fc.integer({ min: 0, max: 2 ** 52 }));
const counted = fc.record({ passed: count, refused: count, failed: count });
const span = fc
  .record({
    now: fc.integer({ min: 1e12, max: 4e12 }),
    stepMs: fc.constantFrom(60_000, 3_600_000, 21_600_000, 86_400_000),
    count: fc.integer({ min: 1, max: 60 }),
  })
  .map(({ now, stepMs, count }) => spanUpTo(now, stepMs, count));
const scene = span.chain((one) =>
  fc.record({
    span: fc.constant(one),
    rows: fc.array(
      fc
        .tuple(counted, fc.integer({ min: one.startMs, max: one.startMs + one.stepMs * one.count - 1 }))
        .map(([counts, at]): Bar => ({ ...counts, at })),
      { maxLength: 80 },
    ),
  }),
);
const drawn = async (one: Parameters<typeof chart>[1], bars: readonly Bar[]) =>
  String(await chart({ id: 'c', title: 'Requests' }, one, bars));
const figure = (text: string) => Number(text.replaceAll(',', ''));

describe('a chart', () => {
  test('has what was counted, each once, and nothing from outside its span', () => {
    fc.assert(
      fc.property(scene, counted, ({ span: one, rows }, stray) => {
        const outside = [
          { ...stray, at: one.startMs - 1 },
          { ...stray, at: one.startMs + one.stepMs * one.count },
          { ...stray, at: Number.NaN },
        ];
        const bars = barsOf(one, [...outside, ...rows]);
        expect(bars).toHaveLength(one.count);
        for (const bar of bars) {
          const own = rows.filter(({ at }) => at >= bar.at && at < bar.at + one.stepMs);
          expect(sumOf([bar])).toEqual(sumOf(own));
        }
      }),
    );
  });

  test('stays within its frame, knows no NaN, and its table has every figure', async () => {
    await fc.assert(
      fc.asyncProperty(scene, async ({ span: one, rows }) => {
        const bars = barsOf(one, rows);
        const text = await drawn(one, bars);
        expect(text).not.toMatch(/NaN|Infinity|undefined|e[+-]\d/);
        expect(text).not.toContain('style=');
        for (const [, y, width, height] of text.matchAll(
          /x="[\d.]+" y="(-?[\d.]+)" width="([\d.]+)" height="([\d.]+)"/g,
        )) {
          expect(Number(y)).toBeGreaterThanOrEqual(0);
          expect(Number(y) + Number(height)).toBeLessThanOrEqual(160.02);
          expect(Number(height)).toBeGreaterThanOrEqual(2);
          expect(Number(width)).toBeGreaterThan(0);
        }
        const table = [...text.matchAll(/<tr><th scope="row">[^<]*<\/th>((?:<td>[^<]*<\/td>)+)/g)].map(
          ([, cells = '']) => [...cells.matchAll(/<td>([^<]*)/g)].map(([, cell = '']) => figure(cell)),
        );
        const values = ({ passed, refused, failed }: Bar | ReturnType<typeof sumOf>) => [
          passed,
          refused,
          failed,
        ];
        expect(table).toEqual([...bars.map(values), values(sumOf(bars))]);
      }),
      { numRuns: 60 },
    );
  });

  test('draws twice as much twice as high', async () => {
    const one = spanUpTo(1_800_000_000_000, 3_600_000, 2);
    const bars = barsOf(one, [
      { at: one.startMs, passed: 50, refused: 20, failed: 0 },
      { at: one.startMs + one.stepMs, passed: 100, refused: 0, failed: 10 },
    ]);
    const heights = [
      ...(await drawn(one, bars)).matchAll(/<rect (?:class="passed"|fill="[^"]+") [^>]*height="([\d.]+)"/g),
    ];
    const [first, refused, second, failed] = heights.map(([, height]) => Number(height));
    expect(second).toBeCloseTo(2 * (first ?? 0), 1);
    expect(refused).toBeCloseTo(2 * (failed ?? 0), 1);
    expect(second).toBeCloseTo(5 * (refused ?? 0), 1);
  });

  test('of nothing is a line and says so', async () => {
    const one = spanUpTo(1_800_000_000_000, 60_000, 60);
    const text = await drawn(one, barsOf(one, []));
    expect(text).toContain('0 passed, 0 refused, 0 failed; 0 passed at most a minute.');
    expect(text).toContain('<line class="zero"');
    expect(text).not.toContain('<g>');
  });
});
