/** What a curve is made of, whatever it is about: figures in rounds, what they come to, and where they are shown. */
import { median, pairedRatio } from '../statistics.ts';
import type { Plot } from './plot.ts';

/** NaN: not measured in this round. */
export type Sample = { readonly cpuUs: number; readonly perSecond: number };

/** A size, in rounds; `beside` is the smallest size, measured just before and just after in the same round. */
export type Measured = { readonly samples: readonly Sample[]; readonly beside: readonly Sample[] };

/** The figures of the goals that this run measures; one that is absent was not measured. */
export type Figures = {
  readonly floodKept?: number;
  readonly bodyGrowthMb?: number;
  readonly idleKb?: number;
  readonly decisionUs?: number;
  readonly coldSqliteUs?: number;
  readonly coldPostgresUs?: number;
};

export type Table = { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };

export type Curve = {
  /** Of the SVG's file, too. */
  readonly name: string;
  /** Null: there is nothing to plot. */
  readonly plot: Plot | null;
  readonly table: Table;
  /** What was skipped and why, and what the reader of the table has to know. */
  readonly notes: readonly string[];
  readonly figures: Figures;
};

export type Summary = {
  readonly cpuUs: number;
  readonly perSecond: number;
  /** To the smallest size of the same round; null: there is no pair. */
  readonly cpuRatio: number | null;
  readonly perSecondRatio: number | null;
};

/** The figure in the plot: what the smallest size costs, times the paired ratio. A machine that slows down bends no line. */
export function plotted(all: readonly Measured[], key: keyof Sample): readonly number[] {
  const [smallest, ...others] = all.map(summaryOf);
  if (smallest === undefined) return [];
  const ratioOf = (one: Summary) => (key === 'cpuUs' ? one.cpuRatio : one.perSecondRatio) ?? Number.NaN;
  return [smallest[key], ...others.map((one) => smallest[key] * ratioOf(one))];
}

const finite = (figures: readonly number[]): readonly number[] => figures.filter(Number.isFinite);

export function summaryOf({ samples, beside }: Measured): Summary {
  const of = (list: readonly Sample[], key: keyof Sample) => list.map((one) => one[key]);
  return {
    cpuUs: median(finite(of(samples, 'cpuUs'))),
    perSecond: median(finite(of(samples, 'perSecond'))),
    cpuRatio: pairedRatio(of(samples, 'cpuUs'), of(beside, 'cpuUs')),
    perSecondRatio: pairedRatio(of(samples, 'perSecond'), of(beside, 'perSecond')),
  };
}

/**
 * Measures every point once a round, and the first again before, between and after the others: the machine's speed wanders,
 * and what was measured side by side can be compared. A single round, which proves nothing, ends without the first. The first point's own figures are all of its own, beside themselves.
 */
export async function inRounds<Point>(
  points: readonly Point[],
  rounds: number,
  measure: (point: Point) => Promise<Sample>,
): Promise<readonly Measured[]> {
  const [smallest, ...others] = points;
  if (smallest === undefined) return [];
  const first: Sample[] = [];
  const measured = others.map(() => ({ samples: [] as Sample[], beside: [] as Sample[] }));
  for (let round = 0; round < rounds; round++) {
    let before = await measure(smallest);
    first.push(before);
    for (const [n, point] of others.entries()) {
      const sample = await measure(point);
      const after = rounds === 1 && n === others.length - 1 ? before : await measure(smallest);
      first.push(after);
      measured[n]?.samples.push(sample);
      measured[n]?.beside.push(between(before, after));
      before = after;
    }
  }
  return [{ samples: first, beside: first }, ...measured];
}

function between(one: Sample, other: Sample): Sample {
  return {
    cpuUs: median(finite([one.cpuUs, other.cpuUs])),
    perSecond: median(finite([one.perSecond, other.perSecond])),
  };
}

/** A ratio, as long as it is one that anybody reads. */
export const times = (ratio: number | null): string => show(ratio, (ratio ?? 0) >= 100 ? 0 : 2);

export function show(figure: number | null | undefined, digits = 0): string {
  return figure === null || figure === undefined || !Number.isFinite(figure) ? '–' : figure.toFixed(digits);
}

/** 10000 as `10,000`. */
export const whole = (count: number): string => count.toLocaleString('en-US');

/** The columns of every table that is about requests. */
export const summaryHead = ['req/s', 'CPU µs/req', '× smallest, req/s', '× smallest, CPU'];

export function summaryCells({ cpuUs, perSecond, cpuRatio, perSecondRatio }: Summary): readonly string[] {
  return [show(perSecond), show(cpuUs, 1), times(perSecondRatio), times(cpuRatio)];
}
