/** What the words of the matrix mean: its scopes, its token types, and the pages of other sites it lets in. */
import { html } from 'hono/html';
import { formatDuration } from '../../policy/units.ts';
import type { Html } from './dash-page.ts';
import { tags } from './dash-parts.ts';
import type { Matrix, MatrixCors, MatrixScope, MatrixType } from './matrix.ts';

export function legend({ scopes, token_types: types, cors }: Matrix): Html {
  return html`${scopes.length === 0 ? '' : scopeTable(scopes)}
${types.length === 0 ? '' : typeTable(types)}
${cors.length === 0 ? '' : corsTable(cors)}`;
}

function section(id: string, title: string, table: Html): Html {
  return html`<section aria-labelledby="${id}" class="stack"><h2 id="${id}">${title}</h2>${table}</section>`;
}

function table(columns: readonly string[], rows: readonly Html[]): Html {
  return html`<table class="list"><thead><tr>${columns.map((one) => html`<th scope="col">${one}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table>`;
}

function scopeTable(scopes: readonly MatrixScope[]): Html {
  const rows = scopes.map(({ scope, sentence, types }) => {
    const of = (how: string) => Object.keys(types).filter((type) => types[type] === how);
    return html`<tr><th scope="row"><code>${scope}</code></th>
<td data-label="Means">${sentence}</td>
<td data-label="Always of">${tags(of('yes'), 'no type')}</td>
<td data-label="Granted to">${tags(of('grantable'), 'no type')}</td></tr>`;
  });
  return section('scopes', 'Scopes', table(['Scope', 'Means', 'Always of', 'Granted to'], rows));
}

function typeTable(types: readonly MatrixType[]): Html {
  const rows = types.map(
    ({ type, annotates, granted, prefixes, sources, csrf }) => html`<tr><th scope="row">${type}</th>
<td data-label="Scopes">${annotates ? 'none: it says something of a request, and opens nothing' : granted ? 'each token has those it was granted' : 'each token has all of its type'}</td>
<td data-label="Begins with">${tags(prefixes, 'anything')}</td>
<td data-label="Sent as">${tags(sources, 'nothing')}</td>
<td data-label="With a cookie">${csrf === null ? html`<span class="faint">no</span>` : html`<code>${csrf}</code>`}</td></tr>`,
  );
  const columns = ['Type', 'Scopes', 'Begins with', 'Sent as', 'With a cookie'];
  return section('types', 'Token types', table(columns, rows));
}

function corsTable(blocks: readonly MatrixCors[]): Html {
  const rows = blocks.map(
    (one) => html`<tr><th scope="row">${one.cors}</th>
<td data-label="Pages of">${one.origins === 'any' ? 'any site' : tags(one.origins, 'none')}</td>
<td data-label="Methods">${tags(one.methods, 'none')}</td>
<td data-label="Headers">${tags(one.headers, 'none')}</td>
<td data-label="Shown to them">${tags(one.expose, 'none')}</td>
<td data-label="Cookies">${one.credentials ? 'yes' : 'no'}</td>
<td data-label="Kept for">${formatDuration(one.max_age_s * 1000)}</td></tr>`,
  );
  const columns = ['CORS', 'Pages of', 'Methods', 'Headers', 'Shown to them', 'Cookies', 'Kept for'];
  return section('cors', 'Pages of other sites', table(columns, rows));
}
