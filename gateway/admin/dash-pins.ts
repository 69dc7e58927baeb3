/** Pages about pins: what is pinned to whom, another value for it, and letting go. */
import { html } from 'hono/html';
import { pinSubject, pinValueUnitsMax } from '../../policy/pin-value.ts';
import type { Complaint } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import type { PinKey, PinRecord } from '../../store/pin-store.ts';
import { isFiltered, type Place, pager } from './dash-list.ts';
import type { DashPage, Html, Shown, Told, Visit } from './dash-page.ts';
import { may } from './dash-page.ts';
import { ago, copyButton, hidden, hiddenForm, notice, selectField, textField, time } from './dash-parts.ts';
import { pinPath } from './dash-pin-path.ts';
import { noFlaws } from './dash-token-fields.ts';
import { wrong } from './dash-token-make.ts';
import { agreed, problemOf, Refused } from './http-problem.ts';
import { listPins, resetPin, setPin, showPin } from './operations-pin.ts';

export const pinPages: readonly DashPage[] = [
  { method: 'GET', path: '/pins', scope: 'pins:read', handle: list },
  { method: 'GET', path: '/pins/set', scope: 'pins:write', handle: setForm },
  { method: 'POST', path: '/pins/set', scope: 'pins:write', handle: set },
  { method: 'GET', path: '/pins/{pin}/{subject}', scope: 'pins:read', handle: show },
  { method: 'GET', path: '/pins/{pin}/{subject}/reset', scope: 'pins:write', handle: resetForm },
  { method: 'POST', path: '/pins/{pin}/{subject}/reset', scope: 'pins:write', handle: reset },
];

const pageSize = 50;

async function list(visit: Visit): Promise<Told> {
  const { desk, query } = visit;
  const said = (name: string) => (query.get(name) ?? '').trim();
  const filter = { pin: said('pin'), subject: said('subject') };
  const place: Place = { path: '/pins', filter };
  const after = query.get('after');
  const orNull = (text: string) => (text === '' ? null : text);
  const search = { pin: orNull(filter.pin), subject: orNull(filter.subject), limit: pageSize, after };
  const { pins, next } = agreed(await listPins(desk, search));
  const canSet = may(visit, 'pins:write') && desk.policy.bundlePins.size > 0;
  const isNarrowed = isFiltered(place) || after !== null;
  const body = html`<div class="head"><h1>Pins</h1>${canSet ? html`<a class="button main" href="/pins/set">Set a pin</a>` : ''}</div>
<p class="lead">Ids that clients must send, each kept for one owner. They are pinned here, by what an upstream answers, or by the first request that sends one, as the config says.</p>
${query.get('done') === 'reset' ? notice('good', html`<p>Let go. Nothing is pinned to this owner until a request, or somebody here, pins a value.</p>`) : ''}
${filterForm(visit, filter, isFiltered(place))}
${pins.length === 0 ? html`<p class="empty">${isNarrowed ? 'No pin is like that.' : nothing(visit)}</p>` : table(pins, visit)}
${pager(place, { next, isLater: after !== null, words: ['First', 'More'] })}`;
  return { title: 'Pins', body };
}

function nothing({ desk }: Visit): string {
  return desk.policy.bundlePins.size === 0
    ? 'The config has no pin that remembers anything.'
    : 'Nothing is pinned yet.';
}

function filterForm({ desk }: Visit, filter: Readonly<Record<'pin' | 'subject', string>>, isOpen: boolean) {
  const names = [...desk.policy.bundlePins.keys()];
  // Pins the config no longer has can be looked for too.
  const all = filter.pin === '' || names.includes(filter.pin) ? names : [...names, filter.pin];
  const options = [{ value: '', label: 'Any' }, ...all.map((one) => ({ value: one, label: one }))];
  return html`<details class="filter"${isOpen ? html` open` : ''}><summary>Find</summary>
<form method="get" action="/pins" role="search" class="two">
${selectField({ name: 'pin', label: 'Pin', hint: null, flaw: null, value: filter.pin, options })}
${textField({ name: 'subject', label: 'Owner', hint: 'All of it: project=prj_a.', flaw: null, value: filter.subject })}
<div class="actions"><button class="main" type="submit">Find</button>${isOpen ? html`<a class="button quiet" href="/pins">All</a>` : ''}</div>
</form></details>`;
}

function table(pins: readonly PinRecord[], { desk }: Visit): Html {
  const now = desk.now();
  return html`<table class="list">
<thead><tr><th scope="col">Owner</th><th scope="col">Pin</th><th scope="col">Value</th><th scope="col">Since</th><th scope="col">By</th></tr></thead>
<tbody>${pins.map(
    ({ pin, subject, value, pinnedAt, pinnedBy }) => html`<tr>
<th scope="row" data-label="Owner"><a href="${pinPath({ pin, subject })}">${subject}</a></th>
<td data-label="Pin">${pin}</td>
<td data-label="Value"><code>${value}</code></td>
<td data-label="Since" class="line">${ago(new Date(pinnedAt).toISOString(), now, '')}</td>
<td data-label="By"><code>${pinnedBy}</code></td>
</tr>`,
  )}</tbody>
</table>`;
}

function keyOf({ params }: Visit): PinKey {
  return { pin: params.pin ?? '', subject: params.subject ?? '' };
}

/** @throws Refused where nothing is pinned; StoreFault */
async function found(visit: Visit): Promise<PinRecord> {
  const shown = await showPin(visit.desk, keyOf(visit));
  if (!shown.ok) throw new Refused({ ...problemOf(shown.complaint), hint: 'See the list of pins.' });
  return shown.value;
}

async function show(visit: Visit): Promise<Told> {
  const { pin, subject, value, pinnedAt, pinnedBy, version } = await found(visit);
  const { desk, query } = visit;
  const by = /^(?:token:)?(tok_[0-9A-Z]{26})$/.exec(pinnedBy)?.[1] ?? null;
  const fact = (name: string, what: Html | string) => html`<div><dt>${name}</dt><dd>${what}</dd></div>`;
  const body = html`<p class="trail"><a href="/pins">Pins</a></p>
<div class="head"><h1>${pin} of ${subject}</h1>${may(visit, 'pins:write') ? buttons({ pin, subject }) : ''}</div>
${query.get('done') === 'set' ? notice('good', html`<p>Pinned. It holds from the next request on.</p>`) : ''}
<section aria-labelledby="facts" class="card"><h2 id="facts">What is pinned</h2><dl class="facts">
${fact('Value', html`<span class="copyable"><code id="value">${value}</code>${copyButton('value', 'the value')}</span>`)}
${fact('Pin', pin)}
${fact('Owner', ownerOf(visit, subject))}
${fact('Since', html`${time(new Date(pinnedAt).toISOString(), '')}, ${ago(new Date(pinnedAt).toISOString(), desk.now(), '')}`)}
${fact('By', by !== null && may(visit, 'tokens:read') ? html`<a href="/tokens/${by}"><code>${pinnedBy}</code></a>` : html`<code>${pinnedBy}</code>`)}
${fact('Changed', version === 1 ? 'never' : `${version - 1} ${version === 2 ? 'time' : 'times'}`)}
</dl></section>
${may(visit, 'audit:read') ? html`<p><a href="/audit?${new URLSearchParams({ subject })}">Who changed it</a></p>` : ''}`;
  return { title: `${pin} of ${subject}`, body };
}

function ownerOf(visit: Visit, subject: string): Html {
  const token = /^token=(tok_[0-9A-Z]{26})$/.exec(subject)?.[1] ?? null;
  const shown = html`<code>${subject}</code>`;
  return token !== null && may(visit, 'tokens:read') ? html`<a href="/tokens/${token}">${shown}</a>` : shown;
}

function buttons(key: PinKey): Html {
  return html`<div class="actions"><a class="button plain" href="/pins/set?${new URLSearchParams(key)}">Set another</a>
<a class="button danger-plain" href="${pinPath(key, 'reset')}">Reset</a></div>`;
}

/** As written. */
type SetFields = PinKey & { readonly value: string; readonly reason: string };

/** What is pinned there; null: nothing, or it cannot be. @throws StoreFault */
async function pinned({ desk }: Visit, key: PinKey): Promise<PinRecord | null> {
  const shown = await showPin(desk, key);
  return shown.ok ? shown.value : null;
}

async function setForm(visit: Visit): Promise<Told> {
  const [pin, subject] = ['pin', 'subject'].map((name) => visit.query.get(name) ?? '');
  const fields = { pin: pin ?? '', subject: subject ?? '', value: '', reason: '' };
  return setPage(visit, fields, await pinned(visit, fields), null);
}

/** @param before what is pinned there now. */
function setPage(
  visit: Visit,
  fields: SetFields,
  before: PinRecord | null,
  complaint: Complaint | null,
): Shown {
  const { desk, formToken } = visit;
  const owners = [...desk.policy.bundlePins];
  const options = owners.map(([pin, owner]) => ({
    value: pin,
    label: `${pin}, of ${pinSubject(owner, '…')}`,
  }));
  const example = pinSubject(owners[0]?.[1] ?? 'project', 'prj_a');
  const back = before === null ? '/pins' : pinPath(before);
  const body = html`<div class="narrow">
<h1>${before === null ? 'Set a pin' : `Set another for ${before.subject}`}</h1>
${wrong(noFlaws, complaint)}
<p class="lead">From the next request on, only what is set here passes. Requests with another id are refused.</p>
${before === null ? '' : nowPinned(before)}
<form method="post" action="/pins/set">
${hiddenForm(formToken)}${hidden('before', String(before?.version ?? 0))}
${
  before === null
    ? html`${selectField({ name: 'pin', label: 'Pin', hint: null, flaw: null, value: fields.pin, options })}
${textField({ name: 'subject', label: 'Owner', hint: `Whose it is: ${example}.`, flaw: null, value: fields.subject, required: true })}`
    : html`${hidden('pin', before.pin)}${hidden('subject', before.subject)}`
}
${textField({ name: 'value', label: before === null ? 'Value' : 'New value', hint: `The id as clients send it, up to ${pinValueUnitsMax} characters.`, flaw: null, value: fields.value, required: true })}
${reasonField(fields.reason)}
<div class="actions"><button class="main" type="submit">Set</button><a class="button quiet" href="${back}">Cancel</a></div>
</form></div>`;
  return { title: 'Set a pin', body, ...(complaint === null ? {} : { status: 400 }) };
}

function nowPinned({ pin, subject, value }: PinRecord): Html {
  return html`<dl class="facts small"><div><dt>Pin</dt><dd>${pin}</dd></div><div><dt>Owner</dt><dd><code>${subject}</code></dd></div><div><dt>Pinned now</dt><dd><code>${value}</code></dd></div></dl>`;
}

function reasonField(value: string): Html {
  const hint = 'For the record: the app was renamed, a wrong first use, …';
  return textField({ name: 'reason', label: 'Why (optional)', hint, flaw: null, value });
}

async function set(visit: Visit): Promise<Told> {
  const said = (name: string) => (visit.form.get(name) ?? '').trim();
  const fields = { pin: said('pin'), subject: said('subject'), value: said('value'), reason: said('reason') };
  const before = await pinned(visit, fields);
  if (isStale(visit, before)) return setPage(visit, fields, before, changedSince);
  const { reason, ...asked } = fields;
  const changed = await setPin(visit.desk, { ...asked, reason: reason === '' ? null : reason });
  if (!changed.ok) return setPage(visit, fields, before, changed.complaint);
  return { goTo: `${pinPath(fields)}?done=set` };
}

/** What is pinned is not what the form was made for: whoever sends it has not seen it. */
function isStale({ form }: Visit, before: PinRecord | null): boolean {
  return form.get('before') !== String(before?.version ?? 0);
}

const changedSince: Complaint = {
  message: 'what is pinned is not what it was when you opened this form',
  given: null,
  hint: 'look at it again, and send it once more if it is still right',
};

async function resetForm(visit: Visit): Promise<Told> {
  return resetPage(visit, await found(visit), '', null);
}

/** What the next request does, by what the rows with this pin say of a first use. */
function afterReset({ routes }: Policy, pin: string): Html {
  const uses = routes.flatMap(({ id, bundlePins }) =>
    bundlePins.filter(({ name }) => name === pin).map(({ firstUse }) => ({ id, firstUse })),
  );
  if (uses.length === 0) return html`No row of the config asks for it.`;
  const pinning = uses.filter(({ firstUse }) => firstUse === 'pin');
  const anew = html`<strong>The next request of this owner that sends an id pins that id</strong>, whichever it is; from then on others are refused.`;
  if (pinning.length === uses.length) return anew;
  const refused = html`<strong>The next requests of this owner are refused</strong> until another value is set: a first use pins nothing.`;
  if (pinning.length === 0) return refused;
  return html`${anew} So it is at ${pinning.map(({ id }) => html`<code>${id}</code> `)}; at other rows the next requests are refused until something is pinned.`;
}

function resetPage(
  { formToken, desk }: Visit,
  record: PinRecord,
  reason: string,
  complaint: Complaint | null,
): Shown {
  const body = html`<div class="narrow">
<h1>Reset ${record.pin} of ${record.subject}?</h1>
${wrong(noFlaws, complaint)}
<p class="lead">The value is let go. ${afterReset(desk.policy, record.pin)} If you know the right one, <a href="/pins/set?${new URLSearchParams({ pin: record.pin, subject: record.subject })}">set it</a> instead.</p>
${nowPinned(record)}
<form method="post" action="${pinPath(record, 'reset')}">
${hiddenForm(formToken)}${hidden('before', String(record.version))}
${reasonField(reason)}
<div class="actions"><button class="danger" type="submit">Reset</button><a class="button quiet" href="${pinPath(record)}">Cancel</a></div>
</form></div>`;
  return {
    title: `Reset ${record.pin} of ${record.subject}`,
    body,
    ...(complaint === null ? {} : { status: 400 }),
  };
}

async function reset(visit: Visit): Promise<Told> {
  const record = await found(visit);
  const reason = (visit.form.get('reason') ?? '').trim();
  if (isStale(visit, record)) return resetPage(visit, record, reason, changedSince);
  const changed = await resetPin(visit.desk, { ...keyOf(visit), reason: reason === '' ? null : reason });
  if (!changed.ok) return resetPage(visit, record, reason, changed.complaint);
  return { goTo: '/pins?done=reset' };
}
