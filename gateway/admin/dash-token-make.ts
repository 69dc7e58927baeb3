/** Pages that make a token: a new one, the successor of one, and one instead of several. */

import { html } from 'hono/html';
import { adminTypeName } from '../../policy/admin-type.ts';
import { attributesShown } from '../../policy/secret-attributes.ts';
import { type Complaint, complain, ownTypeNamed } from '../../policy/token-input.ts';
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import { parseDuration } from '../../policy/units.ts';
import { madePage } from './dash-made.ts';
import { newFormKey } from './dash-once.ts';
import type { DashPage, Html, Made, Shown, Told, Visit } from './dash-page.ts';
import { ago, hidden, hiddenForm, notice, tags, textField, tickField } from './dash-parts.ts';
import {
  attributeFields,
  expiresInMs,
  expiryField,
  type Flaws,
  flawsOf,
  labelField,
  noFields,
  noFlaws,
  originField,
  readFields,
  scopeField,
  sentence,
  type TokenFields,
} from './dash-token-fields.ts';
import { found, pathOf } from './dash-token-found.ts';
import { agreed, problemOf, Refused } from './http-problem.ts';
import { createToken, showToken } from './operations.ts';
import { findTokens } from './operations-find.ts';
import { regenerateToken, rotateToken } from './operations-life.ts';

export const tokenMakePages: readonly DashPage[] = [
  { method: 'GET', path: '/tokens/new', scope: 'tokens:write', handle: newForm },
  { method: 'POST', path: '/tokens/new', scope: 'tokens:write', handle: create },
  { method: 'GET', path: '/tokens/{id}/rotate', scope: 'tokens:write', handle: rotateForm },
  { method: 'POST', path: '/tokens/{id}/rotate', scope: 'tokens:write', handle: rotate },
  { method: 'GET', path: '/tokens/{id}/regenerate', scope: 'tokens:write', handle: regenerateForm },
  { method: 'POST', path: '/tokens/{id}/regenerate', scope: 'tokens:write', handle: regenerate },
];

async function newForm(visit: Visit): Promise<Told> {
  const named = visit.query.get('type');
  if (named === null) return choosePage(visit);
  return formPage(visit, typeOf(visit, named), noFields, noFlaws, null);
}

/** @throws Refused */
function typeOf({ desk }: Visit, name: string): TokenType {
  const type = ownTypeNamed(desk.policy, name);
  if (!type.ok) throw new Refused(problemOf(type.complaint));
  return type.value;
}

function choosePage({ desk }: Visit): Shown {
  const types = [...desk.policy.types.values()].filter(({ verify }) => verify === undefined);
  const body = html`<h1>New token</h1>
<p class="lead">Which type? It says what tokens may do at most, and how they are sent.</p>
<ul class="cards">${types.map(
    (type) => html`<li><a class="card" href="/tokens/new?${new URLSearchParams({ type: type.name })}">
<span class="name">${type.name}</span>
<span class="hint">${type.name === adminTypeName ? 'For the admin API and this dashboard. Opens nothing at the gate.' : prefixOf(type)}</span>
${tags('fixed' in type.scopes ? type.scopes.fixed : type.scopes.grantable, 'no scopes')}
<span class="hint">${'fixed' in type.scopes ? 'Every token has them.' : 'You choose.'}</span></a></li>`,
  )}</ul>`;
  return { title: 'New token', body };
}

function prefixOf({ prefix }: TokenType): string {
  return prefix === '' ? 'Without a prefix.' : `Starts with ${prefix}`;
}

function formPage(
  visit: Visit,
  type: TokenType,
  fields: TokenFields,
  flaws: Flaws,
  complaint: Complaint | null,
): Shown {
  const { formToken, desk, operator } = visit;
  const offered = type.name === adminTypeName ? operator.scopes : null;
  const body = html`<div class="narrow">
<h1>New ${type.name} token</h1>
${wrong(flaws, complaint)}
<form method="post" action="/tokens/new" data-once>
${hiddenForm(formToken)}${hidden('key', newFormKey())}${hidden('type', type.name)}
${labelField(fields.label, flaws)}
${scopeField(desk.policy, type, fields.scopes, flaws, offered)}
${attributeFields(type, fields, flaws)}
${originField(fields.origins, flaws)}
${expiryField(fields.expiresIn, flaws)}
<p class="hint">The token’s text is shown once, on the next page.</p>
<div class="actions"><button class="main" type="submit">Create token</button><a class="button quiet" href="/tokens">Cancel</a></div>
</form></div>`;
  return { title: `New ${type.name} token`, body, ...(isFlawed(flaws, complaint) ? { status: 400 } : {}) };
}

function isFlawed(flaws: Flaws, complaint: Complaint | null): boolean {
  return flaws.size > 0 || complaint !== null;
}

/** At the top: what is wrong as a whole, or that something below is. */
export function wrong(flaws: Flaws, complaint: Complaint | null): Html | string {
  if (!isFlawed(flaws, complaint)) return '';
  const words = complaint === null ? 'Nothing was changed yet: see below.' : sentence(complaint);
  return notice('bad', html`<p>${words}</p>`);
}

async function create(visit: Visit): Promise<Told> {
  const type = typeOf(visit, visit.form.get('type') ?? '');
  const fields = readFields(visit.form, type);
  const flaws = flawsOf(fields, type);
  if (flaws.size > 0) return formPage(visit, type, fields, flaws, null);
  const { label, scopes, attributes, origins, expiresIn } = fields;
  const request = {
    type: type.name,
    label,
    // Of a type with fixed ones none were asked for.
    scopes: 'fixed' in type.scopes ? [] : scopes,
    attributes,
    origins,
    expiresInMs: expiresInMs(expiresIn),
  };
  const made = await visit.once({
    request: [{ ...request, attributes: Object.fromEntries(attributes) }],
    make: async (desk) => {
      const created = await createToken(desk, request);
      if (!created.ok) return created;
      return { ok: true, value: { ...created.value, before: null, replaced: [], isNew: true } };
    },
    again: ({ id }) => madeBefore(visit, id, null, []),
  });
  if (!made.ok) return formPage(visit, type, fields, noFlaws, made.complaint);
  return madePage('Token created', made.value, visit, null);
}

async function madeBefore(visit: Visit, id: string, before: TokenRecord | null, replaced: Made['replaced']) {
  const record = await showToken(visit.desk, id);
  return record.ok
    ? ({ ok: true, value: { record: record.value, plaintext: null, before, replaced } } as const)
    : record;
}

type Overlap = {
  /** As it was written. */
  readonly text: string;
  readonly whenQuiet: boolean;
};

async function rotateForm(visit: Visit): Promise<Told> {
  return rotatePage(visit, await found(visit), { text: '24h', whenQuiet: false }, noFlaws, null);
}

function rotatePage(
  { formToken }: Visit,
  record: TokenRecord,
  { text, whenQuiet }: Overlap,
  flaws: Flaws,
  complaint: Complaint | null,
): Shown {
  const body = html`<div class="narrow">
<h1>Rotate “${record.label}”</h1>
${wrong(flaws, complaint)}
<p class="lead">A new token is made with the same scopes, attributes and origins. The old one goes on working until its time is over, so that whoever uses it can change over.</p>
<form method="post" action="${pathOf(record, 'rotate')}" data-once>
${hiddenForm(formToken)}${hidden('key', newFormKey())}
${textField({
  name: 'overlap',
  label: 'How long the old one still works',
  hint: 'Such as 1h, 24h or 7d; 0s ends it at once. You can end it earlier, by hand, as soon as it is not used any more.',
  flaw: flaws.get('overlap') ?? null,
  value: text,
  suggestions: ['0s', '1h', '24h', '7d', '30d'],
  required: true,
})}
${tickField({
  name: 'retire',
  value: 'when_quiet',
  label: 'End it earlier, as soon as nobody needs it',
  hint: 'By itself, once the new one is in use and the old one was not for 25 hours. So give it more time than that above: 7d or 30d.',
  isChosen: whenQuiet,
})}
<div class="actions"><button class="main" type="submit">Rotate</button><a class="button quiet" href="${pathOf(record)}">Cancel</a></div>
</form></div>`;
  const isWrong = isFlawed(flaws, complaint);
  return { title: `Rotate ${record.label}`, body, ...(isWrong ? { status: 400 } : {}) };
}

async function rotate(visit: Visit): Promise<Told> {
  const record = await found(visit);
  const text = (visit.form.get('overlap') ?? '').trim();
  const whenQuiet = visit.form.get('retire') === 'when_quiet';
  const overlap = parseDuration(text);
  if (!overlap.ok) {
    const flaws = new Map([['overlap', `That is no time: ${overlap.hint}.`]]);
    return rotatePage(visit, record, { text, whenQuiet }, flaws, null);
  }
  const made = await visit.once({
    request: [record.id, overlap.value, whenQuiet],
    make: async (desk) => {
      const rotated = await rotateToken(desk, record.id, overlap.value, whenQuiet);
      if (!rotated.ok) return rotated;
      const { created, before } = rotated.value;
      return { ok: true, value: { ...created, before, replaced: [] } };
    },
    again: ({ id }) => madeBefore(visit, id, record, []),
  });
  if (!made.ok) return rotatePage(visit, record, { text, whenQuiet }, noFlaws, made.complaint);
  return madePage('Token rotated', made.value, visit, theOldOne(made.value.before ?? record, whenQuiet));
}

function theOldOne(old: TokenRecord, whenQuiet: boolean): Html {
  const until = old.retireAt === null ? null : new Date(old.retireAt).toISOString();
  const earlier = whenQuiet ? ', or ends before, as soon as nobody needs it' : '';
  return html`<section aria-labelledby="old"><h2 id="old">The old one</h2>
<p>${until === null || old.revokedAt !== null ? 'It works no more.' : html`It works until <time datetime="${until}">${until.slice(0, 16).replace('T', ' ')} UTC</time>${earlier}.`}
<a href="${pathOf(old)}">Its page</a> shows whether anybody still uses it, and when it is safe to end.</p></section>`;
}

/** For a token with attributes: without any, all of its type would end. */
async function regenerateForm(visit: Visit): Promise<Told> {
  return regeneratePage(visit, await found(visit), '', noFlaws, null);
}

const endingMax = 20;

/** Those that work now: whoever takes it for a new text of one token sees the others. @throws StoreFault */
async function endingList({ desk }: Visit, { type, attributes }: TokenRecord): Promise<Html> {
  const search = { type, attributes, state: 'active', words: '', limit: endingMax, after: null } as const;
  const { tokens, next } = agreed(await findTokens(desk, search));
  if (tokens.length === 0) {
    return html`<p class="hint">${next === null ? 'None of them works now.' : 'They are too many to be looked through here.'}</p>`;
  }
  const line = ({ id, label, lastUsedAt }: TokenRecord) => {
    const at = lastUsedAt === null ? null : new Date(lastUsedAt).toISOString();
    return html`<li><a href="/tokens/${id}">${label}</a> <span class="hint">last used: ${ago(at, desk.now(), 'never')}</span></li>`;
  };
  const count = next === null ? String(tokens.length) : `More than ${tokens.length}`;
  return html`<section aria-labelledby="ending"><h2 id="ending">${count} that ${tokens.length === 1 ? 'works' : 'work'} now</h2>
<ul class="plain">${tokens.map(line)}</ul></section>`;
}

async function regeneratePage(
  visit: Visit,
  record: TokenRecord,
  grace: string,
  flaws: Flaws,
  complaint: Complaint | null,
): Promise<Shown> {
  const attributes = attributesShown(record.attributes, visit.desk.policy.types.get(record.type));
  const whose = Object.entries(attributes).map(([name, value]) => `${name}=${[value].flat().join(',')}`);
  const body = html`<div class="narrow">
<h1>Regenerate “${record.label}”</h1>
${wrong(flaws, complaint)}
<p class="lead"><strong>Every</strong> token of type ${record.type} with these attributes ends, this one too, and one new token takes their place:</p>
${tags(whose, 'none: every token of the type ends')}
${await endingList(visit, record)}
<form method="post" action="${pathOf(record, 'regenerate')}" data-once>
${hiddenForm(visit.formToken)}${hidden('key', newFormKey())}${hidden('before', String(record.version))}
${textField({
  name: 'grace',
  label: 'How long they still work (optional)',
  hint: 'Such as 1h or 24h. Empty: they end now, and the next request with one is refused.',
  flaw: flaws.get('grace') ?? null,
  value: grace,
  suggestions: ['1h', '24h', '7d'],
})}
<div class="actions"><button class="danger" type="submit">Regenerate</button><a class="button quiet" href="${pathOf(record)}">Cancel</a></div>
</form></div>`;
  const isWrong = isFlawed(flaws, complaint);
  return { title: `Regenerate ${record.label}`, body, ...(isWrong ? { status: 400 } : {}) };
}

const changedSince = complain(
  'this token is not what it was when you opened this form, and nothing was changed',
  null,
  'look at what would end now, and send it again',
  'stale',
);

async function regenerate(visit: Visit): Promise<Told> {
  const record = await found(visit);
  const text = (visit.form.get('grace') ?? '').trim();
  const grace = parseDuration(text === '' ? '0s' : text);
  if (!grace.ok) {
    const flaws = new Map([['grace', `That is no time: ${grace.hint}.`]]);
    return regeneratePage(visit, record, text, flaws, null);
  }
  const { type, label, attributes } = record;
  const request = { type, label, attributes, scopes: null, graceMs: grace.value };
  const made = await visit.once({
    request: [record.id, grace.value],
    make: async (desk) => {
      // What ends is what the form said: by its attributes, which `request` has as they were read beside this version.
      if (visit.form.get('before') !== String(record.version)) return changedSince;
      const regenerated = await regenerateToken(desk, request);
      if (!regenerated.ok) return regenerated;
      const { created, replaced } = regenerated.value;
      return { ok: true, value: { ...created, before: null, replaced } };
    },
    again: ({ id, replaced }) => madeBefore(visit, id, null, replaced),
  });
  if (!made.ok) return regeneratePage(visit, record, text, noFlaws, made.complaint);
  const { replaced } = made.value;
  const more = html`<section aria-labelledby="others"><h2 id="others">What it replaces</h2>
<ul class="plain">${replaced.map((id) => html`<li><a href="/tokens/${id}"><code>${id}</code></a></li>`)}</ul></section>`;
  return madePage('Token regenerated', made.value, visit, replaced.length === 0 ? null : more);
}
