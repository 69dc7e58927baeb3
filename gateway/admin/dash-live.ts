/** The page that shows decisions as they are made, and the stream it listens to. */
import { html } from 'hono/html';
import { type DashPage, type Html, may, type Shown, type Told, type Visit } from './dash-page.ts';
import { notice, textField } from './dash-parts.ts';
import { sentence } from './dash-token-fields.ts';
import { problemOf, Refused } from './http-problem.ts';
import { filterOf, type TailAsked } from './http-tail.ts';

export const livePages: readonly DashPage[] = [
  { method: 'GET', path: '/live', scope: 'tail:read', handle: page },
  { method: 'GET', path: '/live/stream', scope: 'tail:read', handle: stream },
];

/** As it stands in the query; what is empty is not asked for. */
function askedIn(query: URLSearchParams): TailAsked {
  const said = (name: string) => (query.get(name) ?? '').trim() || undefined;
  return { token: said('token'), row: said('row'), refusals: query.get('refusals') === 'true' };
}

async function stream({ desk, query, listen }: Visit): Promise<Told> {
  const filter = await filterOf(desk, askedIn(query));
  if (!filter.ok) throw new Refused(problemOf(filter.complaint));
  return listen(filter.value, 'tail:read');
}

async function page(visit: Visit): Promise<Shown> {
  const asked = askedIn(visit.query);
  const filter = await filterOf(visit.desk, asked);
  const body = html`<div class="head"><h1>Live</h1>
<div class="actions" id="live-buttons" hidden><button type="button" class="plain" id="live-pause" aria-pressed="false">Pause</button></div></div>
<p class="lead">Requests at this gateway as they are decided, the newest first. Nothing of it is kept: what came before this page was opened is in the access log.</p>
${filterForm(visit, asked)}
${filter.ok ? watching(visit, asked) : notice('bad', html`<p>${sentence(filter.complaint)}</p>`)}`;
  return { title: 'Live', body, ...(filter.ok ? {} : { status: 400 }) };
}

function filterForm(visit: Visit, { token = '', row = '', refusals }: TailAsked): Html {
  const isFiltered = token !== '' || row !== '' || refusals;
  const rows = may(visit, 'config:read') ? visit.desk.policy.routes.map(({ id }) => id) : [];
  return html`<details class="filter"${isFiltered ? html` open` : ''}><summary>Only some</summary>
<form method="get" action="/live">
${textField({ name: 'token', label: 'Token', hint: 'Its id: tok_…', flaw: null, value: token })}
${textField({ name: 'row', label: 'Row', hint: 'Its id: main GET /items', flaw: null, value: row ?? '', suggestions: rows })}
<label class="tick"><input type="checkbox" name="refusals" value="true"${refusals ? html` checked` : ''}> Only refusals</label>
<div class="actions"><button class="main" type="submit">Show</button>${isFiltered ? html`<a class="button quiet" href="/live">All</a>` : ''}</div>
</form></details>`;
}

function watching(visit: Visit, { token, row, refusals }: TailAsked): Html {
  const query = new URLSearchParams({
    ...(token === undefined ? {} : { token }),
    ...(row == null ? {} : { row }),
    ...(refusals ? { refusals: 'true' } : {}),
  });
  return html`<noscript>${notice(
    'plain',
    html`<p>This page takes JavaScript. Without it, <code>postern tail</code> shows the same in a terminal.</p>`,
  )}</noscript>
<p class="live-state" id="live-state" role="status"></p>
<ol class="live" id="live" hidden data-stream="/live/stream${query.size === 0 ? '' : `?${query}`}" data-tokens="${may(visit, 'tokens:read') ? 'linked' : 'named'}" aria-label="Decisions, the newest first"></ol>`;
}
