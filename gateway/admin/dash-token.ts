/** All that is known of one token, and what can be done about it. */
import { html } from 'hono/html';
import { adminTypeName } from '../../policy/admin-type.ts';
import { pinSubject } from '../../policy/pin-value.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { PinRecord } from '../../store/pin-store.ts';
import type { Html, Told, Visit } from './dash-page.ts';
import { may } from './dash-page.ts';
import { ago, badge, copyButton, notice, tags, time } from './dash-parts.ts';
import { pinPath } from './dash-pin-path.ts';
import { endingSection } from './dash-token-ending.ts';
import { found, pathOf } from './dash-token-found.ts';
import { tokenUse } from './dash-usage.ts';
import { problemOf, Refused } from './http-problem.ts';
import { showPin } from './operations-pin.ts';
import { readUsage } from './operations-usage.ts';
import { type TokenView, viewOf } from './token-view.ts';
import { type LastUseView, type UsageView, usageView } from './usage-view.ts';

const doneWords: Readonly<Record<string, string>> = {
  revoked: 'Revoked. The next request with it is refused.',
  disabled: 'Disabled. Requests with it are refused until it is enabled.',
  enabled: 'Enabled. Requests with it pass again.',
  changed: 'Saved. It holds from the next request on.',
};

export async function tokenPage(visit: Visit): Promise<Told> {
  const { desk, query } = visit;
  const record = await found(visit);
  const view = viewOf(record, desk.policy, desk.now());
  const usage = may(visit, 'usage:read') ? await usageOf(visit, record) : null;
  const use = usage === null ? '' : await tokenUse(visit, record.id);
  const pins = may(visit, 'pins:read') ? await pinsOf(visit, record) : [];
  const done = doneWords[query.get('done') ?? ''];
  const body = html`<p class="trail"><a href="/tokens">Tokens</a></p>
<div class="head"><h1>${view.label} ${badge(view.state)}</h1>${may(visit, 'tokens:write') ? buttons(record, view) : ''}</div>
${done === undefined ? '' : notice('good', html`<p>${done}</p>`)}
${await endingSection(visit, record)}
${!usage?.rotation ? '' : rotation(visit, record, usage.rotation)}
<div class="columns">
<section aria-labelledby="facts" class="card"><h2 id="facts">What it is</h2>${facts(view)}</section>
<div>
<section aria-labelledby="use" class="card"><h2 id="use">Use</h2>${use}${lastUsed(visit, view, usage)}</section>
${pins.length === 0 ? '' : pinSection(pins, desk.now())}
${elsewhere(visit, record)}
</div>
</div>`;
  return { title: view.label, body };
}

/** Where it was last, and whether it is still needed. @throws Refused; StoreFault */
async function usageOf({ desk }: Visit, record: TokenRecord): Promise<UsageView> {
  const request = { id: record.id, sinceMs: 60_000, by: 'route', limit: 1 } as const;
  const usage = await readUsage(desk, request);
  if (!usage.ok) throw new Refused(problemOf(usage.complaint));
  return usageView(usage.value, 'route');
}

function buttons(record: TokenRecord, { state }: TokenView): Html {
  if (state === 'revoked') return html``;
  const isAlive = state === 'active' || state === 'not_yet_valid';
  const link = (action: string, words: string, kind: string) =>
    html`<a class="button ${kind}" href="${pathOf(record, action)}">${words}</a>`;
  const canRegenerate = record.type !== adminTypeName && record.attributes.size > 0;
  return html`<div class="actions">
${isAlive && record.rotatedTo === null ? link('rotate', 'Rotate', 'main') : ''}
${link('edit', 'Edit', 'plain')}
${record.disabledAt === null ? link('disable', 'Disable', 'plain') : link('enable', 'Enable', 'plain')}
${canRegenerate ? link('regenerate', 'Regenerate', 'plain') : ''}
${link('revoke', 'Revoke', 'danger-plain')}
</div>`;
}

function facts(view: TokenView): Html {
  const fact = (name: string, value: Html | string) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const attributes = Object.entries(view.attributes);
  return html`<dl class="facts">
${fact('Type', view.type)}
${fact('Starts with', html`<code>${view.preview}</code>`)}
${fact('Id', html`<span class="copyable"><code id="id">${view.id}</code>${copyButton('id', 'the id')}</span>`)}
${fact('Scopes', tags(view.scopes, 'none'))}
${attributes.map(([name, value]) => fact(name, tags([value].flat(), 'none')))}
${fact('Allowed origins', tags(view.origins, 'anywhere'))}
${view.external_id === null ? '' : fact('External id', html`<code>${view.external_id}</code>`)}
${fact('Created', html`${time(view.created_at, '')} by <code>${view.created_by}</code>`)}
${view.not_before === null ? '' : fact('Valid from', time(view.not_before, ''))}
${fact('Expires', time(view.expires_at, 'never'))}
${view.retire_at === null ? '' : fact('Ends after its rotation', time(view.retire_at, ''))}
${view.rotated_to === null ? '' : fact('Followed by', html`<a href="/tokens/${view.rotated_to}"><code>${view.rotated_to}</code></a>`)}
${view.disabled_at === null ? '' : fact('Disabled', time(view.disabled_at, ''))}
${
  view.revoked_at === null
    ? ''
    : fact(
        'Revoked',
        html`${time(view.revoked_at, '')} by <code>${view.revoked_by}</code>${view.revoked_reason === null ? '' : html`: ${view.revoked_reason}`}`,
      )
}
</dl>`;
}

function lastUsed({ desk }: Visit, view: TokenView, usage: UsageView | null): Html {
  const now = desk.now();
  const last = usage?.last_use ?? null;
  return html`<p>${last === null ? html`Last used: ${ago(view.last_used_at, now, 'never')}.` : lastUse(last, now)}</p>`;
}

function lastUse({ at, address, route }: LastUseView, now: number): Html {
  return html`Last used ${ago(at, now, '')}, from <code>${address}</code>, at <code>${route}</code>.`;
}

/** Who still uses the old one, and whether it can go. */
function rotation(visit: Visit, record: TokenRecord, evidence: NonNullable<UsageView['rotation']>): Html {
  const now = visit.desk.now();
  const { successor, old_last_use: old, new_last_use: next, safe_to_retire: isSafe, because } = evidence;
  const said = (use: LastUseView | null) => (use === null ? html`not seen yet` : lastUse(use, now));
  const lives = record.revokedAt === null && (record.retireAt === null || record.retireAt > now);
  return html`<section aria-labelledby="rotation" class="card ${isSafe ? 'good' : 'wait'}">
<h2 id="rotation">${isSafe ? 'Safe to retire' : 'Not safe to retire yet'}</h2>
<p>${because.charAt(0).toUpperCase() + because.slice(1)}.</p>
<dl class="facts small"><div><dt>This one</dt><dd>${said(old)}</dd></div>
<div><dt><a href="/tokens/${successor}">Its successor</a></dt><dd>${said(next)}</dd></div></dl>
${
  lives && may(visit, 'tokens:write')
    ? html`<div class="actions"><a class="button ${isSafe ? 'main' : 'plain'}" href="${pathOf(record, 'revoke')}">Retire it now</a></div>`
    : ''
}
</section>`;
}

/** What is pinned to it, and to what it belongs to. @throws StoreFault */
async function pinsOf({ desk }: Visit, { id, attributes }: TokenRecord): Promise<readonly PinRecord[]> {
  const keys = [...desk.policy.bundlePins].flatMap(([pin, owner]) => {
    const name = owner === '%token' ? 'token' : owner;
    const values = owner === 'token' ? [id] : [attributes.get(name) ?? []].flat();
    return values.map((value) => ({ pin, subject: pinSubject(owner, value) }));
  });
  const pins = await Promise.all(keys.map((key) => showPin(desk, key)));
  return pins.flatMap((pin) => (pin.ok ? [pin.value] : []));
}

function pinSection(pins: readonly PinRecord[], now: number): Html {
  return html`<section aria-labelledby="pins" class="card"><h2 id="pins">Pins</h2>
<dl class="facts">${pins.map(
    ({ pin, subject, value, pinnedAt }) =>
      html`<div><dt><a href="${pinPath({ pin, subject })}">${pin}</a></dt><dd><code>${value}</code><br><span class="hint">${subject}, since ${ago(new Date(pinnedAt).toISOString(), now, '')}</span></dd></div>`,
  )}</dl></section>`;
}

/** What other pages say of it. */
function elsewhere(visit: Visit, { id, type }: TokenRecord): Html {
  const explains = may(visit, 'config:read') && type !== adminTypeName;
  const told = may(visit, 'audit:read');
  if (!explains && !told) return html``;
  return html`<nav class="actions" aria-label="About this token">
${explains ? html`<a class="button plain" href="/explain?${new URLSearchParams({ token: id })}">Explain a request</a>` : ''}
${told ? html`<a class="button plain" href="/audit?${new URLSearchParams({ subject: id })}">Its changes</a>` : ''}
</nav>`;
}
