/** The page about alerts: what was noticed, what it was measured against, and that somebody has seen to it. */
import { html } from 'hono/html';
import type { AlertRecord } from '../../policy/alert-types.ts';
import { type AlertView, alertView } from '../../policy/alert-view.ts';
import { StoreFault } from '../../store/fault.ts';
import { type DashPage, type Html, may, type Told, type Visit } from './dash-page.ts';
import { ago, hiddenForm, notice, time } from './dash-parts.ts';
import { pathOf } from './dash-token-found.ts';
import { agreed, problemOf, Refused } from './http-problem.ts';
import type { Desk } from './operations.ts';
import { acknowledgeAlert, listAlerts } from './operations-alerts.ts';

export const alertPages: readonly DashPage[] = [
  { method: 'GET', path: '/alerts', scope: 'alerts:read', handle: list },
  { method: 'POST', path: '/alerts/{id}/acknowledge', scope: 'alerts:write', handle: acknowledge },
];

const pageSize = 50;

async function list(visit: Visit): Promise<Told> {
  const { desk, query, config } = visit;
  const open = query.get('show') !== 'all';
  const after = query.get('after');
  const { alerts, next } = agreed(await listAlerts(desk, { open, after, limit: pageSize }));
  const words = await lines(visit, alerts);
  const here = (more: Readonly<Record<string, string>>) =>
    `/alerts?${new URLSearchParams({ ...(open ? {} : { show: 'all' }), ...more })}`;
  const body = html`<div class="head"><h1>Alerts</h1>
<nav aria-label="Which"><ul class="switch-list"><li><a class="switch-one" href="/alerts"${open ? html` aria-current="true"` : ''}>Open</a></li>
<li><a class="switch-one" href="/alerts?show=all"${open ? '' : html` aria-current="true"`}>All</a></li></ul></nav></div>
${query.get('done') === 'acknowledged' ? notice('good', 'Acknowledged. Nothing else is changed by it.') : ''}
${config.alerts === null ? notice('plain', html`<p>Nothing is watched. <code>alerts: {}</code> in the config watches with the defaults.</p>`) : ''}
${alerts.length === 0 ? html`<p class="empty">${open && after === null ? 'No open alerts.' : 'No alerts.'}</p>` : html`<ul class="alerts">${words}</ul>`}
${next === null ? '' : html`<nav class="pager" aria-label="Pages"><a class="button plain" href="${here({ after: next })}" rel="next">Older</a></nav>`}`;
  return { title: 'Alerts', body };
}

async function acknowledge(visit: Visit): Promise<Told> {
  const done = await acknowledgeAlert(visit.desk, visit.params.id ?? '');
  if (!done.ok) throw new Refused({ ...problemOf(done.complaint), hint: 'See the list of alerts.' });
  return { goTo: '/alerts?done=acknowledged' };
}

/** A few of the open ones for the overview, and how many there are; null: none. @throws StoreFault */
export async function openAlerts(visit: Visit): Promise<Html | null> {
  const { alerts, next } = agreed(await listAlerts(visit.desk, { open: true, after: null, limit: 3 }));
  if (alerts.length === 0) return null;
  return html`<ul class="alerts">${await lines(visit, alerts)}</ul>
${next === null ? '' : html`<p><a href="/alerts">All open alerts</a></p>`}`;
}

const countedMax = 99;

/** How many are open, for the navigation: `3`, `99+`; null: none, or nobody can tell now. Never rejects for the store's sake. */
export async function openAlertCount(alerts: Desk['alerts']): Promise<string | null> {
  try {
    const { alerts: open, next } = await alerts.list({ open: true, after: null, limit: countedMax });
    if (open.length === 0) return null;
    return next === null ? String(open.length) : `${countedMax}+`;
  } catch (error) {
    if (error instanceof StoreFault) return null;
    throw error;
  }
}

/** @throws StoreFault */
async function lines(visit: Visit, alerts: readonly AlertRecord[]): Promise<readonly Html[]> {
  const names = await labelsOf(visit, alerts);
  return alerts.map((alert) => line(visit, alertView(alert), names));
}

/** By id; for who may see tokens. */
async function labelsOf(visit: Visit, alerts: readonly AlertRecord[]): Promise<ReadonlyMap<string, string>> {
  if (!may(visit, 'tokens:read')) return new Map();
  const ids = new Set(alerts.flatMap(({ tokenId }) => tokenId ?? []));
  const records = await Promise.all([...ids].map((id) => visit.desk.tokens.byId(id)));
  return new Map(records.flatMap((record) => (record === null ? [] : [[record.id, record.label] as const])));
}

function line(visit: Visit, alert: AlertView, names: ReadonlyMap<string, string>): Html {
  const { id, at, kind, summary, acknowledged_at: doneAt, acknowledged_by: doneBy } = alert;
  const now = visit.desk.now();
  return html`<li class="card ${doneAt === null ? 'bad' : 'done'}">
<div class="alert-head"><p class="what">${summary === '' ? kind : summary}</p><p class="hint">${ago(at, now, '')}, ${time(at, '')}, <code>${kind}</code></p></div>
${typeof alert.detail.networks === 'number' ? '' : html`<p>${about(alert, names)}</p>`}
<p>${seen(alert)}</p>
${
  doneAt !== null
    ? html`<p class="hint">Acknowledged ${ago(doneAt, now, '')} by <code>${doneBy}</code>.</p>`
    : may(visit, 'alerts:write')
      ? html`<form method="post" action="/alerts/${id}/acknowledge">${hiddenForm(visit.formToken)}<div class="actions"><button class="plain small" type="submit">Acknowledge<span class="unseen"> alert ${id}</span></button></div></form>`
      : ''
}</li>`;
}

function about({ subject, token_id: token }: AlertView, names: ReadonlyMap<string, string>): Html {
  if (token === null) return html`About <code>${subject}</code>.`;
  const label = names.get(token);
  const name =
    label === undefined ? html`<code>${token}</code>` : html`<a href="${pathOf({ id: token })}">${label}</a>`;
  return subject === token
    ? html`About the token ${name}.`
    : html`About <code>${subject}</code>, by the token ${name}.`;
}

const number = (value: unknown): string => (typeof value === 'number' ? value.toLocaleString('en') : '?');

/** What is said where none was sent. */
const noneWords: Readonly<Record<string, string>> = {
  'unseen.origin': 'no Origin',
  'unseen.network': 'no address',
  'unseen.bundle': 'no bundle id',
};

/** What was seen, beside what is usual. What it does not know it shows as it is. */
function seen({ kind, detail }: AlertView): Html {
  const { requests, usual, busiest, refused, values, places, more, known, address } = detail;
  const when = typeof detail.minute === 'string' ? html` in the minute from ${time(detail.minute, '')}` : '';
  if (typeof requests === 'number') {
    return html`${number(requests)} requests${when}; usual are ${number(usual)} a minute, and the busiest minute of the day before had ${number(busiest)}.`;
  }
  if (typeof refused === 'number') {
    const networks = typeof detail.networks === 'number' ? ` from ${number(detail.networks)} networks` : '';
    const from = typeof detail.from === 'number' ? `, told from ${number(detail.from)} on` : '';
    return html`${number(refused)} requests refused${networks}${when}${from}.`;
  }
  if (Array.isArray(values)) {
    return html`Now ${listed(values, more, noneWords[kind] ?? 'none')}; ${number(known)} known before.`;
  }
  if (kind === 'leak.reported' && Array.isArray(places)) {
    return html`Found at ${listed(places, more, 'no address')}. The token is now <code>${shown(detail.state)}</code>.`;
  }
  if (kind === 'canary.used') {
    return html`From <code>${shown(address)}</code>, at ${detail.row === null ? 'no row' : html`<code>${shown(detail.row)}</code>`}.`;
  }
  return html`${Object.entries(detail).map(([name, value], i) => html`${i === 0 ? '' : ', '}${name} <code>${shown(value)}</code>`)}`;
}

/** @param none what stands for null. */
function listed(values: readonly unknown[], more: unknown, none: string): Html {
  const rest = typeof more === 'number' ? ` and ${number(more)} more` : '';
  return html`${values.map(
    (one, i) => html`${i === 0 ? '' : ', '}${one === null ? none : html`<code>${shown(one)}</code>`}`,
  )}${rest}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '?');
}
