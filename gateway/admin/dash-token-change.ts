/** Pages that change or end a token: each says first what will happen. */
import { html } from 'hono/html';
import { adminTypeName } from '../../policy/admin-type.ts';
import { effectiveScopes } from '../../policy/scopes.ts';
import { type Checked, type Complaint, typeNamed } from '../../policy/token-input.ts';
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import type { DashPage, Html, Shown, Told, Visit } from './dash-page.ts';
import { hidden, hiddenForm, textField } from './dash-parts.ts';
import { askedExpiry, expiryChangeField, isExpiryDone } from './dash-token-expiry.ts';
import {
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
import { wrong } from './dash-token-make.ts';
import { problemOf, Refused } from './http-problem.ts';
import { revokeToken } from './operations.ts';
import { type ChangeRequest, disableToken, enableToken, updateToken } from './operations-life.ts';

const asked = (action: Action): DashPage => ({
  method: 'GET',
  path: `/tokens/{id}/${action.name}`,
  scope: 'tokens:write',
  handle: async (visit) => confirmPage(visit, action, await found(visit), null),
});

const done = (action: Action): DashPage => ({
  method: 'POST',
  path: `/tokens/{id}/${action.name}`,
  scope: 'tokens:write',
  handle: async (visit) => {
    const record = await found(visit);
    const changed = await action.change(visit, record.id);
    if (!changed.ok) return confirmPage(visit, action, record, changed.complaint);
    return { goTo: `${pathOf(record)}?done=${action.done}` };
  },
});

type Action = {
  readonly name: string;
  readonly title: string;
  /** What will happen. */
  readonly words: string;
  readonly button: string;
  readonly isDangerous: boolean;
  /** What the token's page says then. */
  readonly done: string;
  readonly fields: Html | null;
  readonly change: (visit: Visit, id: string) => Promise<Checked<TokenRecord>>;
};

const reasonField = () =>
  textField({
    name: 'reason',
    label: 'Why (optional)',
    hint: 'For the record: leaked, no longer used, …',
    flaw: null,
    value: '',
  });

const actions: readonly Action[] = [
  {
    name: 'revoke',
    title: 'Revoke',
    words: 'The next request with it is refused, and so is every one after. This cannot be undone.',
    button: 'Revoke for good',
    isDangerous: true,
    done: 'revoked',
    fields: reasonField(),
    change: ({ desk, form }, id) => {
      const reason = (form.get('reason') ?? '').trim();
      return revokeToken(desk, id, reason === '' ? null : reason);
    },
  },
  {
    name: 'disable',
    title: 'Disable',
    words: 'The next request with it is refused, until somebody enables it again.',
    button: 'Disable',
    isDangerous: true,
    done: 'disabled',
    fields: null,
    change: ({ desk }, id) => disableToken(desk, id),
  },
  {
    name: 'enable',
    title: 'Enable',
    words: 'Requests with it pass again, from now on.',
    button: 'Enable',
    isDangerous: false,
    done: 'enabled',
    fields: null,
    change: ({ desk }, id) => enableToken(desk, id),
  },
];

export const tokenChangePages: readonly DashPage[] = [
  { method: 'GET', path: '/tokens/{id}/edit', scope: 'tokens:write', handle: editForm },
  { method: 'POST', path: '/tokens/{id}/edit', scope: 'tokens:write', handle: edit },
  ...actions.flatMap((action) => [asked(action), done(action)]),
];

function confirmPage(
  { formToken }: Visit,
  { name, title, words, button, isDangerous, fields }: Action,
  record: TokenRecord,
  complaint: Complaint | null,
): Shown {
  const body = html`<div class="narrow">
<h1>${title} “${record.label}”?</h1>
${wrong(noFlaws, complaint)}
<p class="lead">${words}</p>
<dl class="facts small"><div><dt>Type</dt><dd>${record.type}</dd></div><div><dt>Starts with</dt><dd><code>${record.preview}</code></dd></div><div><dt>Id</dt><dd><code>${record.id}</code></dd></div></dl>
<form method="post" action="${pathOf(record, name)}">
${hiddenForm(formToken)}${fields ?? ''}
<div class="actions"><button class="${isDangerous ? 'danger' : 'main'}" type="submit">${button}</button><a class="button quiet" href="${pathOf(record)}">Cancel</a></div>
</form></div>`;
  return { title: `${title} ${record.label}`, body, ...(complaint === null ? {} : { status: 400 }) };
}

/** @throws Refused where the config has no such type any more. */
function typeOf({ desk }: Visit, record: TokenRecord): TokenType {
  const type = typeNamed(desk.policy, record.type);
  if (!type.ok) throw new Refused(problemOf(type.complaint));
  return type.value;
}

async function editForm(visit: Visit): Promise<Told> {
  return freshEditPage(visit, await found(visit), null);
}

/** With what the token has now. */
function freshEditPage(visit: Visit, record: TokenRecord, complaint: Complaint | null): Shown {
  const { label, scopes, origins } = record;
  return editPage(visit, record, { ...noFields, label, scopes, origins }, noFlaws, complaint);
}

/** Sent all the same, the form would put back what somebody else has taken away. */
const changedSince: Complaint = {
  message: 'this token is not what it was when you opened this form, and nothing was changed',
  given: null,
  hint: 'here it is as it is now; write your change again',
};

function editPage(
  visit: Visit,
  record: TokenRecord,
  fields: TokenFields,
  flaws: Flaws,
  complaint: Complaint | null,
): Shown {
  const { desk, formToken, operator } = visit;
  const type = typeOf(visit, record);
  const offered = type.name === adminTypeName ? operator.scopes : null;
  const isWrong = flaws.size > 0 || complaint !== null;
  const body = html`<div class="narrow">
<h1>Edit “${record.label}”</h1>
${wrong(flaws, complaint)}
<form method="post" action="${pathOf(record, 'edit')}">
${hiddenForm(formToken)}${hidden('before', String(record.version))}
${labelField(fields.label, flaws)}
${scopeField(desk.policy, type, fields.scopes, flaws, offered)}
${originField(fields.origins, flaws)}
${expiryChangeField(fields.expiresIn, record, flaws, desk.now())}
<p class="hint">Holds from the next request on. The token’s text stays the same.</p>
<div class="actions"><button class="main" type="submit">Save</button><a class="button quiet" href="${pathOf(record)}">Cancel</a></div>
</form></div>`;
  return { title: `Edit ${record.label}`, body, ...(isWrong ? { status: 400 } : {}) };
}

async function edit(visit: Visit): Promise<Told> {
  const record = await found(visit);
  const type = typeOf(visit, record);
  const now = visit.desk.now();
  const fields = { ...readFields(visit.form, type), attributes: record.attributes };
  const flaws = new Map(
    [...flawsOf(fields, type)].filter(([name]) => name === 'label' || name === 'origins'),
  );
  const expiry = askedExpiry(fields.expiresIn, record, now);
  if (!expiry.ok) flaws.set('expires_in', sentence(expiry.complaint));
  const asked = expiry.ok ? expiry.value : {};
  const change = changeOf(record, fields, type);
  const isAsItIs = flaws.size === 0 && Object.keys(change).length === 0 && isExpiryDone(asked, record, now);
  if (visit.form.get('before') !== String(record.version)) {
    // The second of two clicks finds what the first has done.
    return isAsItIs ? { goTo: `${pathOf(record)}?done=changed` } : freshEditPage(visit, record, changedSince);
  }
  if (flaws.size > 0) return editPage(visit, record, fields, flaws, null);
  if (isAsItIs && asked.expiresInMs === undefined) return { goTo: pathOf(record) };
  const asks = { ...change, ...asked, ifVersions: [record.version] };
  const changed = await updateToken(visit.desk, record.id, asks);
  // Somebody was faster by a moment: it is judged again, by what the token is now.
  if (!changed.ok && changed.complaint.kind === 'stale') return edit(visit);
  if (!changed.ok) return editPage(visit, record, fields, noFlaws, changed.complaint);
  return { goTo: `${pathOf(record)}?done=changed` };
}

/** What is as it was is left out. */
function changeOf(
  record: TokenRecord,
  { label, scopes, origins }: TokenFields,
  type: TokenType,
): ChangeRequest {
  const isSame = (one: readonly string[], other: readonly string[]) =>
    JSON.stringify([...one].sort()) === JSON.stringify([...other].sort());
  return {
    ...(label === record.label ? {} : { label }),
    ...('fixed' in type.scopes || isSame(scopes, effectiveScopes(record, type)) ? {} : { scopes }),
    ...(isSame(origins, record.origins) ? {} : { origins }),
  };
}
