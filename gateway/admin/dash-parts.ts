/** The small things that pages are made of: fields, notices, badges, times. */
import { html } from 'hono/html';
import type { Html } from './dash-page.ts';
import type { TokenState } from './token-view.ts';

/** What every form carries. */
export function hiddenForm(formToken: string): Html {
  return hidden('_form', formToken);
}

export function hidden(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}">`;
}

export type Field = {
  readonly name: string;
  readonly label: string;
  /** null: it needs no words. */
  readonly hint: string | null;
  /** What is wrong with it, and what to write instead; null: nothing. */
  readonly flaw: string | null;
};

const idOf = (name: string) => `f-${name.replace(/[^A-Za-z0-9_-]/g, '_')}`;

function aroundField(field: Field, control: Html): Html {
  const id = idOf(field.name);
  return html`<div class="field${field.flaw === null ? '' : ' wrong'}">
<label for="${id}">${field.label}</label>
${hintOf(field, id)}${control}
</div>`;
}

function hintOf({ hint, flaw }: Field, id: string): Html {
  return html`${hint === null ? '' : html`<p class="hint" id="${id}-hint">${hint}</p>`}${
    flaw === null ? '' : html`<p class="flaw" id="${id}-flaw">${flaw}</p>`
  }`;
}

function described({ hint, flaw }: Field, id: string): Html {
  const by = [hint === null ? '' : `${id}-hint`, flaw === null ? '' : `${id}-flaw`].filter(Boolean);
  return html`${by.length === 0 ? '' : html` aria-describedby="${by.join(' ')}"`}${
    flaw === null ? '' : html` aria-invalid="true"`
  }`;
}

export function textField(
  field: Field & {
    readonly value: string;
    readonly type?: 'text' | 'password';
    readonly autocomplete?: string;
    readonly suggestions?: readonly string[];
    readonly required?: true;
  },
): Html {
  const id = idOf(field.name);
  const { value, type = 'text', autocomplete = 'off', suggestions = [] } = field;
  return aroundField(
    field,
    html`<input id="${id}" name="${field.name}" type="${type}" value="${value}" autocomplete="${autocomplete}" autocapitalize="none" spellcheck="false"${
      field.required === true ? html` required` : ''
    }${suggestions.length === 0 ? '' : html` list="${id}-list"`}${described(field, id)}>${
      suggestions.length === 0
        ? ''
        : html`<datalist id="${id}-list">${suggestions.map((one) => html`<option value="${one}"></option>`)}</datalist>`
    }`,
  );
}

export function areaField(field: Field & { readonly value: string; readonly rows: number }): Html {
  const id = idOf(field.name);
  return aroundField(
    field,
    html`<textarea id="${id}" name="${field.name}" rows="${field.rows}" autocapitalize="none" spellcheck="false"${described(field, id)}>
${field.value}</textarea>`,
  );
}

export type Option = { readonly value: string; readonly label: string };

export function selectField(
  field: Field & { readonly value: string; readonly options: readonly Option[] },
): Html {
  const id = idOf(field.name);
  return aroundField(
    field,
    html`<select id="${id}" name="${field.name}"${described(field, id)}>${field.options.map(
      ({ value, label }) =>
        html`<option value="${value}"${value === field.value ? html` selected` : ''}>${label}</option>`,
    )}</select>`,
  );
}

export type Choice = { readonly value: string; readonly sentence: string; readonly isChosen: boolean };

/** Several of a list. */
export function choiceField(field: Field & { readonly choices: readonly Choice[] }): Html {
  const id = idOf(field.name);
  return html`<fieldset class="field${field.flaw === null ? '' : ' wrong'}"${described(field, id)}>
<legend>${field.label}</legend>
${hintOf(field, id)}
<ul class="choices">${field.choices.map(
    ({ value, sentence, isChosen }) =>
      html`<li><label><input type="checkbox" name="${field.name}" value="${value}"${isChosen ? html` checked` : ''}>
<span><code>${value}</code>${sentence === '' ? '' : html` <span class="hint">${sentence}</span>`}</span></label></li>`,
  )}</ul>
</fieldset>`;
}

/** One thing that is asked for, or not. */
export function tickField(tick: {
  readonly name: string;
  readonly value: string;
  readonly label: string;
  readonly hint: string;
  readonly isChosen: boolean;
}): Html {
  return html`<div class="field"><div class="choices"><label><input type="checkbox" name="${tick.name}" value="${tick.value}"${tick.isChosen ? html` checked` : ''}>
<span>${tick.label} <span class="hint">${tick.hint}</span></span></label></div></div>`;
}

/** `role`: read out when the page comes up. */
export function notice(kind: 'good' | 'bad' | 'plain', words: Html | string): Html {
  return html`<div class="notice ${kind}" role="${kind === 'bad' ? 'alert' : 'status'}">${words}</div>`;
}

const stateWords: Readonly<Record<TokenState, string>> = {
  active: 'Active',
  revoked: 'Revoked',
  expired: 'Expired',
  disabled: 'Disabled',
  not_yet_valid: 'Not valid yet',
  canary: 'Canary',
};

export function stateWord(state: TokenState): string {
  return stateWords[state];
}

export function badge(state: TokenState): Html {
  return html`<span class="badge ${state}">${stateWords[state]}</span>`;
}

/** Scopes and the like. */
export function tags(values: readonly string[], none: string): Html {
  if (values.length === 0) return html`<span class="faint">${none}</span>`;
  return html`<ul class="tags">${values.map((one) => html`<li><code>${one}</code></li>`)}</ul>`;
}

/** A time in full. @param none what stands where there is none. */
export function time(at: string | null, none: string): Html {
  if (at === null) return html`<span class="faint">${none}</span>`;
  return html`<time datetime="${at}">${at.slice(0, 16).replace('T', ' ')} UTC</time>`;
}

const steps = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const;

/** A time by how far it is away, for lists. @param now Unix ms. */
export function ago(at: string | null, now: number, none: string): Html {
  if (at === null) return html`<span class="faint">${none}</span>`;
  const full = `${at.slice(0, 16).replace('T', ' ')} UTC`;
  const distance = now - Date.parse(at);
  const [ms, unit] = steps.find(([length]) => Math.abs(distance) >= length) ?? [0, ''];
  const count = ms === 0 ? 0 : Math.floor(Math.abs(distance) / ms);
  const words = count === 0 ? 'just now' : distance > 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
  const shown = unit === 'd' && count > 60 ? full.slice(0, 10) : words;
  return html`<time datetime="${at}" title="${full}">${shown}</time>`;
}

/** Copies the text of the element with this id; there only where a script can do it. */
export function copyButton(id: string, what: string): Html {
  return html`<button type="button" class="copy" data-copy="${id}" data-done="Copied" hidden>Copy<span class="unseen"> ${what}</span></button>`;
}

/** As a sentence begins. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
