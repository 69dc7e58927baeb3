/** The form of a request to be explained, with what was typed in it, and above it what came of it. */
import { html } from 'hono/html';
import type { Checked } from '../../policy/token-input.ts';
import type { TokenType } from '../../policy/token-types.ts';
import type { Rehearsal } from '../rehearsal.ts';
import type { Case } from './dash-explain-case.ts';
import { addressOf } from './dash-explain-case.ts';
import type { Html, Shown, Visit } from './dash-page.ts';
import { may } from './dash-page.ts';
import { areaField, choiceField, hiddenForm, notice, selectField, textField } from './dash-parts.ts';
import { scopeSentence, sentence } from './dash-token-fields.ts';
import { verdict } from './dash-verdict.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** @param answer null: nothing was asked yet. */
export function explainPage(visit: Visit, asked: Case, answer: Checked<Rehearsal> | null): Shown {
  const lead = html`<p class="lead">What would a request get, and why? It goes through the code that decides at the gate, and nothing is sent, counted or pinned.</p>`;
  const body = html`<div class="head"><h1>Explain</h1></div>
${answer === null ? lead : ''}
<div class="explain">
${answer === null ? '' : answer.ok ? verdict(visit, answer.value, shareable(visit, asked)) : notice('bad', html`<p>${sentence(answer.complaint)}</p>`)}
${form(visit, asked)}
</div>`;
  return { title: 'Explain', body, ...(answer?.ok === false ? { status: 400 } : {}) };
}

/** null: it stays on this page. */
function shareable({ config, here }: Visit, asked: Case): string | null {
  const address = addressOf(asked, config.policy);
  return address === null ? null : `${here}${address}`;
}

const plain = { hint: null, flaw: null };

function form(visit: Visit, asked: Case): Html {
  const { formToken } = visit;
  const { method, path, host, origin, from, nth, headers, body, pinned } = asked;
  const known = methods.includes(method) ? methods : [...methods, method];
  const hasMore = [host, origin, from, nth, body, ...headers, ...pinned].some((one) => one !== '');
  return html`<form method="post" action="/explain" class="card ask" id="request" aria-label="The request">
${hiddenForm(formToken)}
<div class="line-of">
${selectField({ ...plain, name: 'method', label: 'Method', value: method, options: known.map((one) => ({ value: one, label: one })) })}
${textField({ ...plain, name: 'path', label: 'Path and query', value: path, required: true })}
</div>
${whoField(visit, asked)}
<details class="more"${hasMore ? html` open` : ''}><summary>Host, origin, headers, body, …</summary><div class="fields">
${textField({ ...plain, name: 'host', label: 'Host', value: host, hint: 'Empty: one under which the path has a row.' })}
${textField({ ...plain, name: 'origin', label: 'Origin', value: origin, hint: 'The page it comes from: https://app.example.com. Empty: none.' })}
${textField({ ...plain, name: 'from', label: 'Address of the caller', value: from, hint: 'Empty: 127.0.0.1.' })}
${textField({ ...plain, name: 'nth', label: 'How manieth at this moment', value: nth, hint: 'For limits: 600 is the 600th such request. Empty: limits are free.' })}
${areaField({ ...plain, name: 'headers', label: 'Headers', value: headers.join('\n'), rows: 3, hint: 'Name: value, one a line. Never a real token: choose who asks instead.' })}
${areaField({ ...plain, name: 'body', label: 'Body', value: body, rows: 4, hint: 'Sent as application/json unless a header says otherwise.' })}
${areaField({ ...plain, name: 'pinned', label: 'Pinned already', value: pinned.join('\n'), rows: 2, hint: 'PIN=ID, one a line. Empty: nothing, or what is pinned to the token of the store.' })}
</div></details>
<div class="actions"><button class="main" type="submit">Explain</button><a class="button quiet" href="/explain">Start anew</a></div>
</form>`;
}

/** Nobody, a made-up token of a type, or one of the store. What belongs to a choice comes up with it. */
function whoField(visit: Visit, { who }: Case): Html {
  const { policy } = visit.config;
  const types = [...policy.types.values()];
  const radio = (value: string, isChosen: boolean, words: Html, more: Html | string) =>
    html`<li><label><input type="radio" name="who" value="${value}"${isChosen ? html` checked` : ''}> <span>${words}</span></label>${
      more === '' ? '' : html`<div class="with">${more}</div>`
    }</li>`;
  const tokenId = who.kind === 'token' ? who.id : '';
  const byId = textField({
    ...plain,
    name: 'token',
    label: 'Id of the token',
    value: /^tok_/.test(tokenId) ? tokenId : '',
    hint: 'tok_…, from its page. With its scopes, attributes, origins and pins, and dead if it is.',
  });
  return html`<fieldset class="field"><legend>Who asks</legend><ul class="choices who-asks">
${radio('', who.kind === 'nobody', html`Nobody <span class="hint">without a token</span>`, '')}
${types.map((type) => {
  const chosen = who.kind === 'type' && who.type === type.name ? who : null;
  const words = html`<code>${type.name}</code> <span class="hint">a made-up token of this type</span>`;
  return radio(`type:${type.name}`, chosen !== null, words, typeFields(visit, type, chosen));
})}
${may(visit, 'tokens:read') ? radio('token', who.kind === 'token', html`A token of the store <span class="hint">by its id</span>`, byId) : ''}
</ul></fieldset>`;
}

type ChosenType = Extract<Case['who'], { readonly kind: 'type' }>;

function typeFields(visit: Visit, type: TokenType, chosen: ChosenType | null): Html {
  const { policy } = visit.config;
  if (type.verify === 'upstream') {
    return html`<p class="hint">Only the upstream can verify these, so nothing more is known of one.</p>`;
  }
  const attributes = [...type.attributes].map(([name, { required, list }]) => {
    const values = (chosen?.attributes ?? [])
      .filter((one) => one.startsWith(`${name}=`))
      .map((one) => one.slice(name.length + 1));
    const field = {
      ...plain,
      name: `attribute.${type.name}.${name}`,
      label: name,
      hint: list ? 'One a line.' : required ? 'Empty: the word fixture.' : null,
    };
    if (list) return areaField({ ...field, value: values.join('\n'), rows: 2 });
    return textField({ ...field, value: values.join(' ') });
  });
  const { scopes } = type;
  const scopeChoice =
    'fixed' in scopes
      ? html`<p class="hint">Always ${scopes.fixed.length === 0 ? 'without scopes' : html`with ${scopes.fixed.map((one) => html`<code>${one}</code> `)}`}</p>`
      : choiceField({
          ...plain,
          name: `scope.${type.name}`,
          label: 'Scopes',
          choices: scopes.grantable.map((scope) => ({
            value: scope,
            sentence: scopeSentence(policy, scope),
            isChosen: chosen?.scopes.includes(scope) === true,
          })),
        });
  const allowed = areaField({
    ...plain,
    name: `allowed.${type.name}`,
    label: 'Allowed origins',
    hint: 'Pages the token may be used from. Empty: anywhere.',
    value: (chosen?.origins ?? []).join('\n'),
    rows: 2,
  });
  return html`${scopeChoice}<div class="fields">${attributes}${allowed}</div>`;
}
