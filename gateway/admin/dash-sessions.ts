/** The page about sessions: who is signed in, from where, and an end to it. */
import { html } from 'hono/html';
import type { SessionRecord } from '../../store/session-store.ts';
import type { DashPage, Html, Told, Visit } from './dash-page.ts';
import { may } from './dash-page.ts';
import { ago, hiddenForm, notice, time } from './dash-parts.ts';
import { problemOf, Refused } from './http-problem.ts';
import { endSession, listSessions, type SessionDesk } from './operations-session.ts';

export const sessionPages: readonly DashPage[] = [
  { method: 'GET', path: '/sessions', scope: null, handle: list },
  { method: 'POST', path: '/sessions/{id}/end', scope: null, handle: end },
];

function deskOf({ sessions, session, operator }: Visit): SessionDesk {
  return { sessions, own: session, by: operator.by, holds: operator.scopes };
}

async function list(visit: Visit): Promise<Told> {
  const all = await listSessions(deskOf(visit));
  const named = await Promise.all(all.map(async (one) => [one, await nameOf(one, visit)] as const));
  const whose = may(visit, 'sessions:write') ? 'Everybody who is signed in.' : 'Where you are signed in.';
  const body = html`<h1>Sessions</h1>
<p class="lead">${whose} A session ends after 30 minutes without a request, after 12 hours in any case, and at once when its token ends or its password is another.</p>
${visit.query.get('done') === 'ended' ? notice('good', 'The session is ended.') : ''}
<div class="scroll" role="region" aria-label="Sessions" tabindex="0">
<table class="list">
<thead><tr><th scope="col">Who</th><th scope="col">From</th><th scope="col">Signed in</th><th scope="col">Last seen</th><th scope="col">Ends</th><th scope="col"><span class="unseen">End it</span></th></tr></thead>
<tbody>${named.map(([one, name]) => row(one, name, visit))}</tbody>
</table>
</div>`;
  return { title: 'Sessions', body };
}

/** Tokens are named by their label. */
async function nameOf({ holder }: SessionRecord, { desk }: Visit): Promise<string> {
  if (holder.kind === 'operator') return holder.name;
  return (await desk.tokens.byId(holder.name))?.label ?? holder.name;
}

function row(one: SessionRecord, name: string, { session, formToken, desk }: Visit): Html {
  const isOwn = one.id === session.id;
  const now = desk.now();
  const at = (ms: number) => new Date(ms).toISOString();
  return html`<tr>
<th scope="row" data-label="Who"><span>${name}${isOwn ? html` <span class="badge active">this one</span>` : ''}<br><span class="faint">${
    one.holder.kind === 'token' ? one.holder.name : 'by password'
  }</span></span></th>
<td data-label="From" class="line">${one.address}</td>
<td data-label="Signed in">${time(at(one.createdAt), '')}</td>
<td data-label="Last seen">${ago(at(one.lastSeenAt), now, '')}</td>
<td data-label="Ends">${time(at(one.expiresAt), '')}</td>
<td class="act"><form method="post" action="/sessions/${one.id}/end">${hiddenForm(formToken)}<button class="plain small" type="submit">End<span class="unseen"> the session of ${name} from ${one.address}</span></button></form></td>
</tr>`;
}

async function end(visit: Visit): Promise<Told> {
  const ended = await endSession(deskOf(visit), visit.params.id ?? '');
  if (!ended.ok) throw new Refused(problemOf(ended.complaint));
  return { goTo: ended.value.id === visit.session.id ? '/sign-in?done=out' : '/sessions?done=ended' };
}
