/** Requests over time as a picture: what passed above a line, what was refused or failed below it, and the same as a table. */
import { html } from 'hono/html';
import type { Html } from './dash-page.ts';

export type Counted = { readonly passed: number; readonly refused: number; readonly failed: number };

/** Times are Unix ms. */
export type Bar = Counted & { readonly at: number };

/** What is drawn: `count` bars of `stepMs` each, from `startMs` on. */
export type Span = { readonly startMs: number; readonly stepMs: number; readonly count: number };

/** The span of so many bars that ends with the bar of now. Bars begin where whole steps do, in UTC. */
export function spanUpTo(now: number, stepMs: number, count: number): Span {
  return { startMs: (Math.floor(now / stepMs) - count + 1) * stepMs, stepMs, count };
}

/** What was in each step; rows from outside the span are in none. */
export function barsOf({ startMs, stepMs, count }: Span, rows: readonly Bar[]): readonly Bar[] {
  const bars = Array.from({ length: count }, (_, i) => ({
    at: startMs + i * stepMs,
    passed: 0,
    refused: 0,
    failed: 0,
  }));
  for (const row of rows) {
    const bar = bars[Math.floor((row.at - startMs) / stepMs)];
    if (bar === undefined) continue;
    bar.passed += row.passed;
    bar.refused += row.refused;
    bar.failed += row.failed;
  }
  return bars;
}

export function sumOf(rows: readonly Counted[]): Counted {
  const sum = (key: keyof Counted) => rows.reduce((total, row) => total + row[key], 0);
  return { passed: sum('passed'), refused: sum('refused'), failed: sum('failed') };
}

const kinds = [
  ['passed', 'Passed'],
  ['refused', 'Refused'],
  ['failed', 'Failed'],
] as const;

/** The figures in large, which say too what the bars mean. */
export function figures(sum: Counted): Html {
  return html`<dl class="figures">${kinds.map(
    ([kind, word]) =>
      html`<div><dt><span class="swatch ${kind}"></span>${word}</dt><dd>${number(sum[kind])}</dd></div>`,
  )}</dl>`;
}

/** Stretched to the page's width; its height stays. */
const width = 600;
const height = 160;
/** What is not nothing is seen, however little it is beside the rest. */
const leastHeight = 2;
/** Room for two such. */
const margin = 2 * leastHeight;

export type ChartWords = {
  /** Unlike any other in the page. */
  readonly id: string;
  /** `Requests of the last 24 hours`. */
  readonly title: string;
};

/** @param bars of one span, in order. */
export function chart({ id, title }: ChartWords, span: Span, bars: readonly Bar[]): Html {
  const most = (of: (bar: Bar) => number) => bars.reduce((max, bar) => Math.max(max, of(bar)), 0);
  const above = most(({ passed }) => passed);
  const below = most(({ refused, failed }) => refused + failed);
  const perOne = above + below === 0 ? 0 : (height - 2 * margin) / (above + below);
  const zero = margin + (above + below === 0 ? height - 2 * margin : above * perOne);
  const sum = sumOf(bars);
  const said = `${number(sum.passed)} passed, ${number(sum.refused)} refused, ${number(sum.failed)} failed; ${number(above)} passed at most ${eachOf(span)}.`;
  return html`<figure class="chart">
<div class="scale"><span>${number(above)}</span>${below === 0 ? '' : html`<span>${number(below)}</span>`}</div>
<svg role="img" aria-labelledby="${id}-title ${id}-said" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">
<title id="${id}-title">${title}</title><desc id="${id}-said">${said}</desc>
<defs>
<pattern id="${id}-refused" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="refused" width="4" height="2.4"/></pattern>
<pattern id="${id}-failed" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="failed-ground" width="4" height="4"/><rect class="failed" width="2" height="2"/><rect class="failed" x="2" y="2" width="2" height="2"/></pattern>
</defs>
${bars.map((bar, i) => column(bar, i, { id, span, perOne, zero }))}<line class="zero" x1="0" x2="${width}" y1="${round(zero)}" y2="${round(zero)}"/>
</svg>
<div class="ticks" aria-hidden="true">${ticksOf(span).map((at) => html`<span>${tick(at, span)}</span>`)}</div>
</figure>
${table(title, span, bars, sum)}`;
}

type Plane = {
  readonly id: string;
  readonly span: Span;
  /** How high one request is. */
  readonly perOne: number;
  /** Where nothing is. */
  readonly zero: number;
};

function column(bar: Bar, i: number, { id, span, perOne, zero }: Plane): Html {
  const { passed, refused, failed } = bar;
  if (passed + refused + failed === 0) return html``;
  const step = width / span.count;
  const tall = (count: number) => (count === 0 ? 0 : Math.max(leastHeight, count * perOne));
  const rect = (count: number, y: number, fill: Html) =>
    count === 0
      ? html``
      : html`<rect ${fill} x="${round((i + 0.1) * step)}" y="${round(y)}" width="${round(0.8 * step)}" height="${round(tall(count))}"/>`;
  const counts = kinds.map(([kind]) => `${number(bar[kind])} ${kind}`).join(', ');
  return html`<g><title>${fromTo(bar.at, span)}: ${counts}</title>
${rect(passed, zero - tall(passed), html`class="passed"`)}${rect(refused, zero, html`fill="url(#${id}-refused)"`)}${rect(failed, zero + tall(refused), html`fill="url(#${id}-failed)"`)}</g>
`;
}

function table(title: string, span: Span, bars: readonly Bar[], sum: Counted): Html {
  const cells = (row: Counted) => kinds.map(([kind]) => html`<td>${number(row[kind])}</td>`);
  return html`<details class="in-figures"><summary>In figures</summary>
<div class="scroll" role="region" aria-label="${title}, in figures" tabindex="0">
<table class="data">
<thead><tr><th scope="col">UTC</th>${kinds.map(([, word]) => html`<th scope="col">${word}</th>`)}</tr></thead>
<tbody>${bars.map((bar) => html`<tr><th scope="row">${fromTo(bar.at, span)}</th>${cells(bar)}</tr>\n`)}</tbody>
<tfoot><tr><th scope="row">Together</th>${cells(sum)}</tr></tfoot>
</table></div></details>`;
}

const dayMs = 86_400_000;
const hourMs = 3_600_000;

function eachOf({ stepMs }: Span): string {
  if (stepMs === dayMs) return 'a day';
  if (stepMs % hourMs === 0) return stepMs === hourMs ? 'an hour' : `in ${stepMs / hourMs} hours`;
  return stepMs === 60_000 ? 'a minute' : `in ${stepMs / 60_000} minutes`;
}

/** Four or five words under a picture: as many as divide its bars. */
function ticksOf({ startMs, stepMs, count }: Span): readonly number[] {
  const parts = [5, 4, 3, 2].find((one) => count % one === 0) ?? 1;
  return Array.from({ length: parts }, (_, i) => startMs + (i * stepMs * count) / parts);
}

function tick(at: number, { stepMs }: Span): string {
  const text = new Date(at).toISOString();
  return stepMs <= hourMs ? text.slice(11, 16) : text.slice(5, 10);
}

function fromTo(at: number, { stepMs }: Span): string {
  const text = new Date(at).toISOString();
  if (stepMs >= dayMs) return text.slice(0, 10);
  if (stepMs < hourMs) return text.slice(11, 16);
  const end = new Date(at + stepMs).toISOString().slice(11, 16);
  return `${text.slice(5, 10)} ${text.slice(11, 16)}–${end}`;
}

function number(count: number): string {
  return count.toLocaleString('en');
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
