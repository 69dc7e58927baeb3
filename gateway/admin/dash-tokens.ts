/** Pages that show tokens: the list, and all that is known of one. */
import { html } from 'hono/html';
import { type Checked, type Complaint, typeNamed } from '../../policy/token-input.ts';
import type { AttributeValue, TokenRecord } from '../../policy/token-types.ts';
import { pathTo } from './dash-list.ts';
import type { DashPage, Html, Shown, Told, Visit } from './dash-page.ts';
import { may } from './dash-page.ts';
import { ago, badge, hiddenForm, notice, selectField, stateWord, textField } from './dash-parts.ts';
import { tokenPage } from './dash-token.ts';
import { sentence } from './dash-token-fields.ts';
import { pathOf } from './dash-token-found.ts';
import { attributesSought } from './http-attributes.ts';
import { guessed } from './http-guesses.ts';
import { agreed } from './http-problem.ts';
import { type FoundTokens, findTokens } from './operations-find.ts';
import { couldBeBare, findTokenByText, tokenIn } from './operations-token-text.ts';
import { tokenStates, viewOf } from './token-view.ts';

export const tokenPages: readonly DashPage[] = [
  { method: 'GET', path: '/tokens', scope: 'tokens:read', handle: list },
  { method: 'POST', path: '/tokens/find', scope: 'tokens:read', handle: find },
  { method: 'GET', path: '/tokens/{id}', scope: 'tokens:read', handle: tokenPage },
];

const pageSize = 50;

/** As it stands in the query; '': any. */
type Filter = {
  readonly words: string;
  readonly type: string;
  readonly state: string;
  readonly attribute: string;
};

function filterOf(said: URLSearchParams): Filter {
  const of = (name: keyof Filter) => (said.get(name) ?? '').trim();
  return { words: of('words'), type: of('type'), state: of('state'), attribute: of('attribute') };
}

const nowhere: Filter = { words: '', type: '', state: '', attribute: '' };

/** Whoever pastes a token is led to it, by its id; other words stand in the address, where a list is found again. */
async function find(visit: Visit): Promise<Told> {
  const { desk, form, guesses } = visit;
  const filter = filterOf(form);
  const token = tokenIn(filter.words, desk.policy);
  if (token !== null) {
    const record = await guessed(guesses, () => findTokenByText(desk, token));
    if (record.ok) return { goTo: pathOf(record.value) };
    return { ...listPage(visit, nowhere, none, record.complaint), status: 404 };
  }
  if (!couldBeBare(filter.words, desk.policy)) return { goTo: pathTo('/tokens', filter) };
  // Words that only may be a token are words still, once too many were none; but they get into no address.
  if (guesses.waitMs() === null) {
    const record = await guessed(guesses, () => findTokenByText(desk, filter.words));
    if (record.ok) return { goTo: pathOf(record.value) };
  }
  const page = await found(visit, filter, null);
  return page.ok
    ? listPage(visit, filter, { ...page.value, next: null }, null)
    : listPage(visit, filter, none, page.complaint);
}

async function list(visit: Visit): Promise<Told> {
  const { query, desk } = visit;
  const filter = filterOf(query);
  const kept = Object.entries(filter).filter(([, value]) => tokenIn(value, desk.policy) === null);
  if (kept.length < Object.keys(filter).length) return { goTo: pathTo('/tokens', Object.fromEntries(kept)) };
  const page = await found(visit, filter, query.get('after'));
  return page.ok ? listPage(visit, filter, page.value, null) : listPage(visit, filter, none, page.complaint);
}

async function found(visit: Visit, filter: Filter, after: string | null): Promise<Checked<FoundTokens>> {
  const attributes = attributesOf(visit, filter);
  if (!attributes.ok) return attributes;
  const state = tokenStates.find((one) => one === filter.state) ?? null;
  const type = filter.type === '' ? null : filter.type;
  const search = { type, attributes: attributes.value, state, words: filter.words, limit: pageSize, after };
  return { ok: true, value: agreed(await findTokens(visit.desk, search)) };
}

const none: FoundTokens = { tokens: [], next: null, looked: 0 };

/** `project=prj_a`, of a type. */
function attributesOf({ desk }: Visit, { type, attribute }: Filter) {
  const empty = new Map<string, AttributeValue>();
  if (attribute === '') return { ok: true, value: empty } as const;
  if (type === '') {
    const complaint: Complaint = {
      message: 'an attribute of no type',
      given: null,
      hint: 'choose the type too',
    };
    return { ok: false, complaint } as const;
  }
  const known = typeNamed(desk.policy, type);
  return known.ok ? attributesSought(known.value, [attribute]) : known;
}

function listPage(
  visit: Visit,
  filter: Filter,
  { tokens, next, looked }: FoundTokens,
  complaint: Complaint | null,
): Shown {
  const isFiltered = Object.values(filter).some((one) => one !== '');
  const isLater = visit.query.get('after') !== null;
  const body = html`<div class="head"><h1>Tokens</h1>${
    may(visit, 'tokens:write') ? html`<a class="button main" href="/tokens/new">New token</a>` : ''
  }</div>
${filterForm(visit, filter, isFiltered || complaint !== null)}
${complaint === null ? '' : notice('bad', html`<p>${sentence(complaint)}</p>`)}
${complaint !== null ? '' : tokens.length === 0 ? empty(isFiltered || isLater, next !== null, looked) : table(tokens, visit)}
${pager(filter, next, isLater)}`;
  return { title: 'Tokens', body, ...(complaint === null ? {} : { status: 400 }) };
}

function filterForm({ desk, formToken }: Visit, filter: Filter, isFiltered: boolean): Html {
  const types = [...desk.policy.types.keys()];
  const all = { value: '', label: 'Any' };
  return html`<details class="filter"${isFiltered ? html` open` : ''}><summary>Find</summary>
<form method="post" action="/tokens/find" role="search">
${hiddenForm(formToken)}
${textField({ name: 'words', label: 'Label, id or token', hint: null, flaw: null, value: filter.words })}
${selectField({ name: 'type', label: 'Type', hint: null, flaw: null, value: filter.type, options: [all, ...types.map((one) => ({ value: one, label: one }))] })}
${selectField({ name: 'state', label: 'State', hint: null, flaw: null, value: filter.state, options: [all, ...tokenStates.map((one) => ({ value: one, label: stateWord(one) }))] })}
${textField({ name: 'attribute', label: 'Attribute (name=value)', hint: null, flaw: null, value: filter.attribute })}
<div class="actions"><button class="main" type="submit">Find</button>${isFiltered ? html`<a class="button quiet" href="/tokens">All</a>` : ''}</div>
</form></details>`;
}

function empty(isFiltered: boolean, isMore: boolean, looked: number): Html {
  if (isMore) return html`<p class="empty">None among the ${looked} that were looked at. There are more.</p>`;
  if (isFiltered) return html`<p class="empty">No token is like that.</p>`;
  return html`<p class="empty">There are no tokens yet.</p>`;
}

function table(tokens: readonly TokenRecord[], { desk }: Visit): Html {
  const now = desk.now();
  return html`<table class="list">
<thead><tr><th scope="col">Label</th><th scope="col">Type</th><th scope="col">Scopes</th><th scope="col">State</th><th scope="col">Created</th><th scope="col">Last used</th></tr></thead>
<tbody>${tokens.map((record) => row(record, now, desk.policy))}</tbody>
</table>`;
}

function row(record: TokenRecord, now: number, policy: Visit['desk']['policy']): Html {
  const view = viewOf(record, policy, now);
  return html`<tr>
<th scope="row" data-label="Label"><a href="${pathOf(record)}">${view.label}</a><br><code class="faint">${view.preview}</code></th>
<td data-label="Type" class="line">${view.type}</td>
<td data-label="Scopes">${scopesOf(view.scopes)}</td>
<td data-label="State">${badge(view.state)}</td>
<td data-label="Created" class="line">${ago(view.created_at, now, '')}</td>
<td data-label="Last used" class="line">${ago(view.last_used_at, now, 'never')}</td>
</tr>`;
}

const shownMax = 3;

function scopesOf(scopes: readonly string[]): Html {
  const more = scopes.length - shownMax;
  if (scopes.length === 0) return html`<span class="faint">none</span>`;
  return html`<span>${scopes.slice(0, shownMax).map((one) => html`<code class="scope">${one}</code> `)}${
    more > 0 ? html`<span class="faint">+${more}</span>` : ''
  }</span>`;
}

function pager(filter: Filter, next: string | null, isLater: boolean): Html {
  const kept = Object.entries(filter).filter(([, value]) => value !== '');
  const to = (more: Readonly<Record<string, string>>) =>
    `/tokens?${new URLSearchParams([...kept, ...Object.entries(more)])}`;
  if (next === null && !isLater) return html``;
  return html`<nav class="pager" aria-label="Pages">${isLater ? html`<a class="button plain" href="${to({})}">Newest</a>` : ''}${
    next === null ? '' : html`<a class="button plain" href="${to({ after: next })}" rel="next">Older</a>`
  }</nav>`;
}
