/** The page that says who changed what, newest first. */

import { html } from 'hono/html';
import { detailShown } from '../../policy/secret-attributes.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import { formatDuration } from '../../policy/units.ts';
import type { AuditAction, AuditEntry } from '../../store/audit-store.ts';
import { isFiltered, type Place, pager } from './dash-list.ts';
import type { DashPage, Html, Told, Visit } from './dash-page.ts';
import { may } from './dash-page.ts';
import { type Option, selectField, tags, textField } from './dash-parts.ts';
import { pinPath } from './dash-pin-path.ts';
import { agreed } from './http-problem.ts';
import { type FoundAudit, findAudit } from './operations-audit.ts';

export const auditPages: readonly DashPage[] = [
  { method: 'GET', path: '/audit', scope: 'audit:read', handle: list },
];

const pageSize = 50;
/** The admin scopes are 15. */
const textsShown = 20;

const actionWords: Readonly<Record<AuditAction, string>> = {
  'token.create': 'Token made',
  'token.revoke': 'Token revoked',
  'token.rotate': 'Token rotated',
  'token.regenerate': 'Token regenerated',
  'token.update': 'Token changed',
  'token.disable': 'Token disabled',
  'token.enable': 'Token enabled',
  'token.retire': 'Token retired: nobody needed it',
  'token.import': 'Tokens imported',
  'token.export': 'Tokens exported',
  'token.purge': 'Tokens purged',
  'token.learn': 'Token learned of an upstream',
  'token.observe_failed': 'Tokens may be out of date',
  'alert.raised': 'Alert raised',
  'alert.acknowledge': 'Alert acknowledged',
  'config.reload': 'Config reloaded, or refused',
  'audit.begin': 'Chain of the audit begun',
  'audit.purge': 'Audit purged',
  'session.open': 'Signed in',
  'session.end': 'Session ended',
  'probe.activate': 'Probe activated',
  'probe.deactivate': 'Probe deactivated',
  'pin.first_use': 'Pinned by first use',
  'pin.change': 'Pin set',
  'pin.reset': 'Pin let go',
  'pin.observe_failed': 'A pin may be out of date',
};

/** All that happened to one kind of thing. */
const kindWords: Readonly<Record<string, string>> = {
  token: 'Everything of tokens',
  pin: 'Everything of pins',
  probe: 'Everything of probes',
  session: 'Everything of sessions',
  alert: 'Everything of alerts',
  config: 'Everything of the config',
  audit: 'Everything of the audit itself',
};

/** Labels of the tokens that a page names, by id. */
type Names = ReadonlyMap<string, string>;

async function list(visit: Visit): Promise<Told> {
  const said = (name: string) => (visit.query.get(name) ?? '').trim();
  const filter = { subject: said('subject'), actor: said('actor'), action: said('action') };
  const place: Place = { path: '/audit', filter };
  const after = visit.query.get('after');
  const { actor, action } = filter;
  const subject = filter.subject === '' ? null : filter.subject;
  const found = agreed(await findAudit(visit.desk, { subject, actor, action, limit: pageSize, after }));
  const names = await namesOf(visit, found.entries);
  const isLater = after !== null;
  const body = html`<div class="head"><h1>Audit</h1></div>
<p class="lead">Who changed what, newest first. Each row was written together with its change.</p>
${filterForm(filter, isFiltered(place))}
${found.entries.length === 0 ? empty(found, isFiltered(place) || isLater) : table(found.entries, names, visit)}
${pager(place, { next: found.next, isLater, words: ['Newest', 'Older'] })}`;
  return { title: 'Audit', body };
}

function filterForm(filter: Readonly<Record<'subject' | 'actor' | 'action', string>>, isOpen: boolean): Html {
  const words = { ...kindWords, ...actionWords };
  const known = Object.entries(words).map(([value, label]): Option => ({ value, label }));
  const { action } = filter;
  const odd = action === '' || Object.hasOwn(words, action) ? [] : [{ value: action, label: action }];
  const options = [{ value: '', label: 'Any' }, ...known, ...odd];
  const plain = { hint: null, flaw: null };
  return html`<details class="filter"${isOpen ? html` open` : ''}><summary>Find</summary>
<form method="get" action="/audit" role="search" class="three">
${textField({ ...plain, name: 'subject', label: 'To what', hint: 'All of it: tok_… or project=prj_a.', value: filter.subject })}
${textField({ ...plain, name: 'actor', label: 'By whom', hint: 'A name, an id, or a part of one.', value: filter.actor })}
${selectField({ ...plain, name: 'action', label: 'What', hint: 'One change, or all of a kind.', value: action, options })}
<div class="actions"><button class="main" type="submit">Find</button>${isOpen ? html`<a class="button quiet" href="/audit">All</a>` : ''}</div>
</form></details>`;
}

function empty({ next, looked }: FoundAudit, isNarrowed: boolean): Html {
  if (next !== null)
    return html`<p class="empty">None among the ${looked} that were looked at. There are more.</p>`;
  if (isNarrowed) return html`<p class="empty">No change is like that.</p>`;
  return html`<p class="empty">Nothing was changed yet.</p>`;
}

function table(entries: readonly AuditEntry[], names: Names, visit: Visit): Html {
  return html`<table class="list audit">
<thead><tr><th scope="col">What</th><th scope="col">When</th><th scope="col">By whom</th><th scope="col">To what</th><th scope="col">More</th></tr></thead>
<tbody>${entries.map((entry) => row(entry, names, visit))}</tbody>
</table>`;
}

function row(entry: AuditEntry, names: Names, visit: Visit): Html {
  const { at, actor, action, detail } = entry;
  return html`<tr>
<th scope="row" data-label="What">${actionWords[action] ?? action}<br><code class="faint">${action}</code></th>
<td data-label="When" class="line">${atOf(at)}</td>
<td data-label="By whom">${who(actor, names)}</td>
<td data-label="To what">${subjectOf(entry, names, visit)}</td>
<td data-label="More">${detailOf(detailShown(detail, visit.desk.policy))}</td>
</tr>`;
}

/** To the second: what happened in a row is told apart. @param ms Unix ms. */
function atOf(ms: number): Html {
  const at = new Date(ms).toISOString();
  return html`<time datetime="${at}">${at.slice(0, 10)} <span class="line">${at.slice(11, 19)} UTC</span></time>`;
}

const tokenId = /^tok_[0-9A-Z]{26}$/;

/** An operator by name, a token by its label, and others as they stand there. */
function who(actor: string, names: Names): Html {
  const [, kind = '', name = ''] = /^(operator|token):(.*)$/s.exec(actor) ?? [];
  const said = (shown: Html | string, role: string) =>
    html`<span>${shown}<br><span class="faint">${role}</span></span>`;
  if (kind === 'operator') return said(name, 'operator');
  if (kind === 'token' && tokenId.test(name)) return said(tokenLink(name, names), 'by admin token');
  if (tokenId.test(actor)) return said(tokenLink(actor, names), 'a request with this token');
  if (actor === 'postern') return said('Postern', 'by itself');
  if (actor === 'bootstrap') return said('Postern', 'at its first start');
  if (actor === 'cli') return said('Command line', 'beside the store');
  return html`<code>${actor}</code>`;
}

function tokenLink(id: string, names: Names): Html {
  const name = names.get(id);
  return name === undefined ? html`<code>${id}</code>` : html`<a href="/tokens/${id}">${name}</a>`;
}

function subjectOf({ action, subject, detail }: AuditEntry, names: Names, visit: Visit): Html {
  if (tokenId.test(subject)) return tokenLink(subject, names);
  const { pin } = detail;
  if (action.startsWith('pin.') && typeof pin === 'string' && may(visit, 'pins:read')) {
    return html`<a href="${pinPath({ pin, subject })}"><code>${subject}</code></a>`;
  }
  return html`<code>${subject}</code>`;
}

function detailOf(detail: AuditEntry['detail']): Html {
  const known = Object.entries(detail).filter(([, value]) => value !== null);
  if (known.length === 0) return html`<span class="faint">nothing more</span>`;
  return html`<dl class="pairs">${known.map(
    ([name, value]) => html`<div><dt>${nameWords(name)}</dt><dd>${detailValue(name, value)}</dd></div>`,
  )}</dl>`;
}

function nameWords(name: string): string {
  const text = name.replace(/_ms$/, '').replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function detailValue(name: string, value: unknown): Html | string {
  if (typeof value === 'number' && /_at$/.test(name) && Math.abs(value) <= 8.64e15) return atOf(value);
  if (typeof value === 'number' && /_ms$/.test(name)) return formatDuration(value);
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return texts(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return html`<code>${JSON.stringify(value)}</code>`;
}

/** Hundreds of scopes would bury the changes around them. */
function texts(values: readonly string[]): Html {
  const all = tags(values, 'none');
  return values.length <= textsShown
    ? all
    : html`<details><summary>${values.length}</summary>${all}</details>`;
}

/** None for who may not read tokens. @throws StoreFault */
async function namesOf(visit: Visit, entries: readonly AuditEntry[]): Promise<Names> {
  if (!may(visit, 'tokens:read')) return new Map();
  const named = entries.flatMap(({ actor, subject }) => [actor.replace(/^token:/, ''), subject]);
  const ids = [...new Set(named)].filter((id) => tokenId.test(id));
  const records = await Promise.all(ids.map(async (id) => visit.desk.tokens.byId(id)));
  return new Map(
    records
      .filter((record): record is TokenRecord => record !== null)
      .map((record) => [record.id, record.label]),
  );
}
