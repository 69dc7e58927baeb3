/** The first page: whether the gate is well, and what wants somebody's attention, in one screen. */
import { html } from 'hono/html';
import { openAlerts } from './dash-alerts.ts';
import { type DashPage, type Html, may, type Told, type Visit } from './dash-page.ts';
import { ago, time } from './dash-parts.ts';
import { pathOf } from './dash-token-found.ts';
import { lastHour } from './dash-usage.ts';
import { endingTokens, safeToRetire } from './operations-ending.ts';

export const homePages: readonly DashPage[] = [{ method: 'GET', path: '/', scope: null, handle: home }];

async function home(visit: Visit): Promise<Told> {
  const seesUsage = may(visit, 'usage:read');
  const seesTokens = may(visit, 'tokens:read');
  const [hour, ending, retirable, alerts] = await Promise.all([
    seesUsage ? hourCard(visit) : '',
    seesTokens ? endingCard(visit) : '',
    seesTokens && seesUsage ? retirableCard(visit) : '',
    may(visit, 'alerts:read') ? openAlerts(visit) : null,
  ]);
  const body = html`<div class="head"><h1>Overview</h1><p class="hint">As of ${time(isoOf(visit.desk.now()), '')}. <a href="/">Load again</a></p></div>
${gateCard(visit)}
${alerts === null ? '' : html`<section aria-labelledby="alerts" class="block"><h2 id="alerts">Open alerts</h2>${alerts}</section>`}
<div class="columns">
${hour === '' ? html`<div></div>` : hour}
<div>${seesUsage ? refusalCard(visit) : ''}${retirable}${ending}</div>
</div>`;
  return { title: 'Overview', body };
}

const checkNames: Readonly<Record<string, string>> = {
  life: 'The process',
  store: 'The store',
  limiter: 'The counter of limits',
  reload: 'The last reload',
};

function gateCard({ watch, desk, gate }: Visit): Html {
  const { ready, config, checks } = watch.readiness();
  const wrong = Object.entries(checks).filter(([, { ok }]) => !ok);
  const word = !ready ? 'Not ready' : wrong.length === 0 ? 'Ready' : 'Ready, but not well';
  const since = isoOf(watch.configSince());
  return html`<section class="card gate ${!ready ? 'bad' : wrong.length === 0 ? 'good' : 'wait'}" aria-labelledby="gate">
<h2 id="gate" class="gate-word">${word}</h2>
<p class="hint">The gate at <code>${gate}</code>, with config <code>${config}</code>, in force since ${time(since, '')} (${ago(since, desk.now(), '')}).</p>
${
  wrong.length === 0
    ? ''
    : html`<ul class="wrongs">${wrong.map(
        ([name, { reason }]) =>
          html`<li><strong>${checkNames[name] ?? name}:</strong> <span class="reason">${reason ?? 'not well'}</span></li>`,
      )}</ul>`
}
</section>`;
}

async function hourCard(visit: Visit): Promise<Html> {
  return html`<section class="card" aria-labelledby="last-hour"><h2 id="last-hour">The last hour</h2>
${await lastHour(visit)}
<p class="hint">Times are UTC. <a href="/usage">More about usage</a></p></section>`;
}

function refusalCard(visit: Visit): Html {
  const refusals = visit.watch.refusals();
  return html`<section class="card" aria-labelledby="refusals"><h2 id="refusals">Refused or failed in the last hour</h2>
${
  refusals.length === 0
    ? html`<p class="faint">Nothing, by this gateway.</p>`
    : html`<table class="data"><thead><tr><th scope="col">Code</th><th scope="col">Requests</th></tr></thead>
<tbody>${refusals.map(
        ([code, count]) =>
          html`<tr><th scope="row"><code>${code}</code></th><td>${count.toLocaleString('en')}</td></tr>`,
      )}</tbody></table><p class="hint">Counted by this gateway since it started.</p>`
}
${may(visit, 'tail:read') ? html`<p><a href="/live?refusals=true">Watch refusals live</a></p>` : ''}</section>`;
}

const soonDays = 14;
const shownMax = 8;

async function endingCard({ desk }: Visit): Promise<Html> {
  const { tokens, isMore } = await endingTokens(desk, soonDays * 86_400_000);
  const now = desk.now();
  const more = tokens.length - shownMax;
  return html`<section class="card" aria-labelledby="ending"><h2 id="ending">Ending within ${soonDays} days</h2>
${
  tokens.length === 0
    ? html`<p class="faint">No token.</p>`
    : html`<ul class="soon">${tokens
        .slice(0, shownMax)
        .map(
          ({ record, endsAt }) =>
            html`<li class="soon-one"><a href="${pathOf(record)}">${record.label}</a> <span class="faint">${record.type}${record.rotatedTo === null ? '' : ', rotated'}</span> <span class="when">${ago(isoOf(endsAt), now, '')}</span></li>`,
        )}</ul>`
}
${more > 0 ? html`<p class="hint">And ${more.toLocaleString('en')}${isMore ? ' at least' : ''} more.</p>` : ''}</section>`;
}

async function retirableCard({ desk }: Visit): Promise<Html> {
  const rotated = await safeToRetire(desk);
  if (rotated.length === 0) return html``;
  return html`<section class="card good" aria-labelledby="retirable"><h2 id="retirable">Safe to retire</h2>
<ul class="soon">${rotated.map(
    ({ old, verdict }) =>
      html`<li class="soon-one"><a href="${pathOf(old)}">${old.label}</a> <span class="faint">${verdict.because}</span></li>`,
  )}</ul></section>`;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
