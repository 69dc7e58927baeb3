/** The pages about use: of all tokens together, of one on its page, and those that nobody uses. */
import { html } from 'hono/html';
import { type Bar, barsOf, chart, figures, type Span, spanUpTo, sumOf } from './dash-chart.ts';
import { type DashPage, type Html, may, type Told, type Visit } from './dash-page.ts';
import { ago, badge } from './dash-parts.ts';
import { pathOf } from './dash-token-found.ts';
import { agreed, problemOf, Refused } from './http-problem.ts';
import { type Desk, listTokens } from './operations.ts';
import { readUsage, type UsageRequest } from './operations-usage.ts';
import { viewOf } from './token-view.ts';
import { type UsageView, usageView } from './usage-view.ts';

export const usagePages: readonly DashPage[] = [
  { method: 'GET', path: '/usage', scope: 'usage:read', handle: overall },
  { method: 'GET', path: '/usage/unused', scope: 'tokens:read', handle: unused },
];

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** What can be chosen: how long, in bars of which length. */
const windows = [
  { name: '24h', words: '24 hours', stepMs: hourMs, count: 24 },
  { name: '7d', words: '7 days', stepMs: 6 * hourMs, count: 28 },
  { name: '30d', words: '30 days', stepMs: dayMs, count: 30 },
] as const;

type Window = (typeof windows)[number];

function windowOf({ query }: Visit): Window {
  return windows.find(({ name }) => name === query.get('last')) ?? windows[0];
}

/** @param here the page's path. */
function windowLinks(here: string, chosen: Window): Html {
  return html`<nav aria-label="How far back"><ul class="switch-list">${windows.map(
    (one) =>
      html`<li><a class="switch-one" href="${here}?last=${one.name}"${one === chosen ? html` aria-current="true"` : ''}>${one.words}</a></li>`,
  )}</ul></nav>`;
}

async function overall(visit: Visit): Promise<Told> {
  const { desk } = visit;
  const window = windowOf(visit);
  const span = spanUpTo(desk.now(), window.stepMs, window.count);
  const bars = await barsIn(desk, null, span);
  const [byToken, byRow] = await Promise.all([
    sums(desk, { id: null, by: 'token', limit: topMax }, span),
    sums(desk, { id: null, by: 'route', limit: topMax }, span),
  ]);
  const names = may(visit, 'tokens:read') ? await namesOf(desk, byToken.rows) : new Map<string, string>();
  const body = html`<div class="head"><h1>Usage</h1>${windowLinks('/usage', window)}</div>
<section class="card" aria-labelledby="all"><h2 id="all">All requests</h2>
${figures(sumOf(bars))}
${chart({ id: 'c', title: `Requests of the last ${window.words}` }, span, bars)}
${written}</section>
<div class="halves">
<section class="card" aria-labelledby="tokens"><h2 id="tokens">Busiest tokens</h2>${topTable(byToken.rows, 'Token', (row) => tokenName(row.token_id ?? null, names))}</section>
<section class="card" aria-labelledby="rows"><h2 id="rows">Busiest rows</h2>${topTable(byRow.rows, 'Row', (row) => rowName(row.route ?? null))}</section>
</div>
${may(visit, 'tokens:read') ? html`<p><a href="/usage/unused">Tokens that nobody used for ${unusedDays} days</a></p>` : ''}`;
  return { title: 'Usage', body };
}

const topMax = 10;

const written = html`<p class="hint">Times are UTC. Figures are written every few seconds.</p>`;

/** What the use of one token comes to, in the window that the query names. @throws Refused; StoreFault */
export async function tokenUse(visit: Visit, id: string): Promise<Html> {
  const { desk } = visit;
  const window = windowOf(visit);
  const span = spanUpTo(desk.now(), window.stepMs, window.count);
  const bars = await barsIn(desk, id, span);
  const { rows } = await sums(desk, { id, by: 'route', limit: rowsMax }, span);
  return html`${windowLinks(pathOf({ id }), window)}
${figures(sumOf(bars))}
${chart({ id: 'c', title: `Requests with this token in the last ${window.words}` }, span, bars)}
${rows.length === 0 ? '' : topTable(rows, 'Row', (row) => rowName(row.route ?? null))}
${written}`;
}

const rowsMax = 100;

/** The last hour, minute by minute, in small. @throws Refused; StoreFault */
export async function lastHour({ desk }: Visit): Promise<Html> {
  const span = spanUpTo(desk.now(), 60_000, 60);
  const bars = await barsIn(desk, null, span);
  return html`${figures(sumOf(bars))}${chart({ id: 'hour', title: 'Requests of the last hour' }, span, bars)}`;
}

/** All that is kept of a span is read at once: 30 days have 720 hours. */
const bucketsMax = 10_000;

async function barsIn(desk: Desk, id: string | null, span: Span): Promise<readonly Bar[]> {
  const { rows } = await sums(desk, { id, by: 'time', limit: bucketsMax }, span);
  return barsOf(
    span,
    rows.map(({ start, ...counts }) => ({ ...counts, at: Date.parse(start ?? '') })),
  );
}

/** @throws Refused; StoreFault */
async function sums(
  desk: Desk,
  request: Omit<UsageRequest, 'sinceMs'>,
  { startMs }: Span,
): Promise<UsageView> {
  const usage = await readUsage(desk, { ...request, sinceMs: desk.now() - startMs });
  if (!usage.ok) throw new Refused(problemOf(usage.complaint));
  return usageView(usage.value, request.by);
}

type Row = UsageView['rows'][number];

function topTable(rows: readonly Row[], what: string, name: (row: Row) => Html): Html {
  if (rows.length === 0) return html`<p class="faint">No requests.</p>`;
  return html`<div class="scroll" role="region" aria-label="Requests by ${what.toLowerCase()}" tabindex="0"><table class="data">
<thead><tr><th scope="col">${what}</th><th scope="col">Passed</th><th scope="col">Refused</th><th scope="col">Failed</th></tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr><th scope="row">${name(row)}</th>${[row.passed, row.refused, row.failed].map((one) => html`<td>${one.toLocaleString('en')}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

function rowName(route: string | null): Html {
  return route === null ? html`<span class="faint">no row</span>` : html`<code>${route}</code>`;
}

function tokenName(id: string | null, names: ReadonlyMap<string, string>): Html {
  if (id === null) return html`<span class="faint">no token</span>`;
  const name = names.get(id);
  return name === undefined ? html`<code>${id}</code>` : html`<a href="${pathOf({ id })}">${name}</a>`;
}

/** By id; those that are gone have none. */
async function namesOf({ tokens }: Desk, rows: readonly Row[]): Promise<ReadonlyMap<string, string>> {
  const records = await Promise.all(rows.map(({ token_id: id }) => (id ? tokens.byId(id) : null)));
  return new Map(records.flatMap((record) => (record === null ? [] : [[record.id, record.label] as const])));
}

const unusedDays = 90;
const pageSize = 50;

async function unused(visit: Visit): Promise<Told> {
  const { desk, query } = visit;
  const after = query.get('after');
  const filter = { type: null, limit: pageSize, after, unusedForMs: unusedDays * dayMs };
  const { tokens, next } = agreed(await listTokens(desk, filter));
  const now = desk.now();
  const views = tokens.map((record) => viewOf(record, desk.policy, now));
  const body = html`<p class="trail"><a href="/usage">Usage</a></p>
<h1>Not used for ${unusedDays} days</h1>
<p class="lead">Neither used nor made since then, oldest first, and not revoked. What nobody needs is better revoked.</p>
${
  views.length === 0
    ? html`<p class="empty">Every token was used, or is younger.</p>`
    : html`<table class="list">
<thead><tr><th scope="col">Label</th><th scope="col">Type</th><th scope="col">State</th><th scope="col">Created</th><th scope="col">Last used</th></tr></thead>
<tbody>${views.map(
        (view) => html`<tr><th scope="row" data-label="Label"><a href="${pathOf(view)}">${view.label}</a></th>
<td data-label="Type" class="line">${view.type}</td>
<td data-label="State">${badge(view.state)}</td>
<td data-label="Created" class="line">${ago(view.created_at, now, '')}</td>
<td data-label="Last used" class="line">${ago(view.last_used_at, now, 'never')}</td></tr>
`,
      )}</tbody></table>`
}
${next === null ? '' : html`<nav class="pager" aria-label="Pages"><a class="button plain" href="/usage/unused?${new URLSearchParams({ after: next })}" rel="next">More</a></nav>`}`;
  return { title: `Not used for ${unusedDays} days`, body };
}
