/** The matrix: every row by every token type, with what the one asks of the other. */
import { html } from 'hono/html';
import type { TokenType } from '../../policy/token-types.ts';
import type { Policy, Route } from '../../policy/types.ts';
import { isFiltered } from './dash-list.ts';
import { cellSentence, explainPath } from './dash-matrix-case.ts';
import { legend } from './dash-matrix-legend.ts';
import type { DashPage, Html, Told, Visit } from './dash-page.ts';
import { may } from './dash-page.ts';
import { notice, selectField, textField } from './dash-parts.ts';
import { type Matrix, type MatrixRow, matrixOf } from './matrix.ts';
import { bodyText } from './matrix-table.ts';

export const matrixPages: readonly DashPage[] = [
  { method: 'GET', path: '/matrix', scope: 'config:read', handle: show },
];

/** '': any. */
type Filter = { readonly words: string; readonly api: string; readonly type: string };

type Line = { readonly row: MatrixRow; readonly route: Route };

async function show(visit: Visit): Promise<Told> {
  const { config, query } = visit;
  const { policy } = config;
  const said = (name: string) => (query.get(name) ?? '').trim();
  const filter = { words: said('words'), api: said('api'), type: said('type') };
  const matrix = matrixOf(policy);
  const lines = linesOf(matrix, policy, filter);
  const types = [...policy.types.values()].filter(({ name }) => filter.type === '' || name === filter.type);
  const isNarrowed = isFiltered({ path: '/matrix', filter });
  const count = `${lines.length}${isNarrowed ? ` of ${matrix.rows.length}` : ''} ${matrix.rows.length === 1 ? 'row' : 'rows'}`;
  const body = html`<div class="head"><h1>Matrix</h1><p class="hint">${count}</p>${
    may(visit, 'config:write')
      ? html`<a class="button plain" href="/config/reload">Reload the config</a>`
      : ''
  }</div>
${query.get('done') === 'reloaded' ? notice('good', 'The config was reloaded, and is in force.') : ''}
<p class="lead">Who may do what, as the config in force has it. What is not here is refused. A cell says which scopes it takes; follow it to try a request.</p>
${filterForm(matrix, filter, isNarrowed)}
${lines.length === 0 ? html`<p class="empty">No row is like that.</p>` : table(lines, { types, policy, common: commonRules(matrix.rows) })}
${legend(matrix)}`;
  return { title: 'Matrix', body };
}

function linesOf({ rows }: Matrix, { routes }: Policy, { words, api, type }: Filter): readonly Line[] {
  const lower = words.toLowerCase();
  return routes.flatMap((route, index) => {
    const row = rows[index];
    if (row === undefined) return [];
    const isWanted =
      (api === '' || row.api === api) &&
      (type === '' || row.public || Object.hasOwn(row.cells, type)) &&
      (lower === '' || textOf(row).includes(lower));
    return isWanted ? [{ row, route }] : [];
  });
}

/** All that can be looked for: what stands in the row, to the letter. */
function textOf(row: MatrixRow): string {
  const { method, pattern, hosts, upstream, cells, served } = row;
  return [`${method} ${pattern}`, ...hosts, upstream, ...Object.values(cells), served ?? '', row.row]
    .join('\n')
    .toLowerCase();
}

function filterForm({ rows, types }: Matrix, { words, api, type }: Filter, isOpen: boolean): Html {
  const any = { value: '', label: 'Any' };
  const apis = [...new Set(rows.map((row) => row.api))];
  const options = (names: readonly string[]) => [any, ...names.map((one) => ({ value: one, label: one }))];
  const plain = { hint: null, flaw: null };
  return html`<details class="filter"${isOpen ? html` open` : ''}><summary>Find</summary>
<form method="get" action="/matrix" role="search" class="three">
${textField({ ...plain, name: 'words', label: 'Path, scope, host or upstream', value: words })}
${selectField({ ...plain, name: 'api', label: 'Api', value: api, options: options(apis) })}
${selectField({ ...plain, name: 'type', label: 'Open to', value: type, options: options(types) })}
<div class="actions"><button class="main" type="submit">Find</button>${isOpen ? html`<a class="button quiet" href="/matrix">All</a>` : ''}</div>
</form></details>`;
}

type Columns = {
  readonly types: readonly TokenType[];
  readonly policy: Policy;
  /** Rules that every row has, which tell none from another. */
  readonly common: ReadonlySet<string>;
};

function table(lines: readonly Line[], columns: Columns): Html {
  return html`<div class="scroll wide" role="region" aria-label="Rows by token types" tabindex="0">
<table class="list matrix">
<thead><tr><th scope="col">Row</th>${columns.types.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${lines.map((line) => rowOf(line, columns))}</tbody>
</table></div>`;
}

function rowOf({ row, route }: Line, { types, policy, common }: Columns): Html {
  const { method, pattern, hosts } = row;
  const cells = row.public
    ? html`<td class="public" colspan="${types.length}">${link(explainPath(route, null), 'public', 'Anybody may, without a token.')}</td>`
    : types.map((type) => cellOf(row, route, type, policy));
  return html`<tr>
<th scope="row"><span class="row"><span class="method">${method}</span> <code>${breakable(pattern)}</code></span>${
    hosts.length === 0 ? '' : html`<span class="faint">at ${hosts.join(', ')}</span>`
  }${rules(row, common)}</th>
${cells}
</tr>`;
}

/** A long path goes on in the next line where a segment ends. */
function breakable(pattern: string): readonly Html[] {
  return pattern
    .split('/')
    .slice(1)
    .map((segment) => html`/<wbr>${segment}`);
}

function cellOf({ cells }: MatrixRow, route: Route, type: TokenType, policy: Policy): Html {
  const text = cells[type.name];
  const cell = route.access === 'public' ? undefined : route.access.get(type.name);
  if (text === undefined || cell === undefined) {
    return html`<td class="no"><span aria-hidden="true">–</span><span class="unseen">refused</span></td>`;
  }
  const path = explainPath(route, type);
  return html`<td data-label="${type.name}">${link(path, text, cellSentence(policy, type, cell))}</td>`;
}

/** The words come up on focus, and are read out with the link. */
function link(path: string, text: string, words: string): Html {
  return html`<a href="${path}"><code>${text}</code><span class="words"> ${words} Follow it to try a request.</span></a>`;
}

type Rule = readonly [name: string, values: readonly string[]];

/** What a row asks beside scopes, and what becomes of a request that passes. */
function rulesOf(row: MatrixRow): readonly Rule[] {
  const one = (name: string, value: string | null): Rule => [name, value === null ? [] : [value]];
  const flags = [
    ...(row.websocket ? ['WebSocket'] : []),
    ...(row.path_parameters ? ['path parameters'] : []),
    ...(row.strict_scheme ? ['strict scheme'] : []),
  ];
  const all: readonly Rule[] = [
    one('Does here', row.served),
    ['Bind', row.bind],
    ['Limits', row.limits],
    one('Origin pin', row.origin_pin === 'off' ? null : row.origin_pin),
    one('Row origin pin', row.row_origin_pin),
    one('Address pin', row.address_pin),
    ['Bundle pins', row.bundle_pins],
    one('Body', bodyText(row) === 'no cap' ? null : bodyText(row)),
    ['Only watched', row.monitored],
    one('CORS', row.cors),
    one('Credentials', row.credentials),
    ['Annotated by', row.annotated_by],
    ['On a 2xx', row.observes],
    one('Error style', row.errors),
    ['Also', flags],
  ];
  return all.filter(([, values]) => values.length > 0);
}

const ruleText = ([name, values]: Rule) => JSON.stringify([name, values]);

function commonRules([first, ...rows]: readonly MatrixRow[]): ReadonlySet<string> {
  if (first === undefined || rows.length === 0) return new Set();
  const ofOthers = rows.map((row) => new Set(rulesOf(row).map(ruleText)));
  const shared = rulesOf(first).map(ruleText);
  return new Set(shared.filter((text) => ofOthers.every((one) => one.has(text))));
}

/** All of them, named in a line but for those that every row has. */
function rules(row: MatrixRow, common: ReadonlySet<string>): Html {
  const found = rulesOf(row);
  const where = row.served === null ? `to ${row.upstream}` : 'answered here';
  if (found.length === 0) return html`<span class="faint">${where}</span>`;
  const own = found.filter((rule) => rule[0] !== 'Does here' && !common.has(ruleText(rule)));
  const summary = [where, ...own.map(([name]) => (name === 'CORS' ? name : name.toLowerCase()))].join(', ');
  return html`<details class="rules"><summary>${summary}</summary><dl class="pairs">${found.map(
    ([name, values]) => html`<div><dt>${name}</dt>${values.map((value) => html`<dd>${value}</dd>`)}</div>`,
  )}</dl></details>`;
}
