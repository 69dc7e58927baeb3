/** The tools that read the policy alone: what a request would get, and the matrix. */
import * as v from 'valibot';
import { suggest } from '../../policy/config-problem.ts';
import { complain } from '../../policy/token-input.ts';
import { explain, verdictOf } from '../explain.ts';
import { matrixOf } from './matrix.ts';
import { countOf } from './mcp-changed.ts';
import { defineTool, nextPage, paging, type Tool, text, texts, whole } from './mcp-tool.ts';

const explainRequest = defineTool({
  name: 'explain_request',
  title: 'Explain a request',
  description:
    'What a request would get, and at which step, by the code that decides on the wire. Sends and opens nothing. Ask with a made-up token (`as`), never with a real one.',
  scope: 'config:read',
  change: null,
  need: 'everything',
  input: {
    method: text('GET, POST, …'),
    path: text('path and query, as on the wire'),
    as: v.optional(text('TYPE or TYPE:scope+scope: a made-up token of this type asks; left out: nobody')),
    attributes: v.optional(texts('name=value each, of that token; required ones left out are `fixture`')),
    origins: v.optional(texts('the origins that token is pinned to')),
    headers: v.optional(texts('`Name: value` each')),
    body: v.optional(text('the body, as application/json unless a header says otherwise')),
    pinned: v.optional(texts('PIN=ID each: what is pinned already')),
    from: v.optional(text('the address of the caller; left out: 127.0.0.1')),
    nth: v.optional(
      whole(
        'the how manieth such request it is, at the same moment; left out: limits are free',
        1,
        1_000_000_000,
      ),
    ),
  },
  output: {
    outcome: v.picklist(['forward', 'refuse', 'serve']),
    status: v.nullable(v.number()),
    code: v.nullable(v.string()),
    row: v.nullable(v.string()),
    upstream: v.nullable(v.string()),
    identity: v.record(v.string(), v.string()),
    steps: v.array(v.object({ step: v.string(), ok: v.boolean(), detail: v.string() })),
  },
  run: async (asked, { policy, triggerKeys }) => {
    const { method, path: target, as = null, attributes = [], headers = [], from = null, nth = null } = asked;
    const { origins = [], pinned = [] } = asked;
    const body = asked.body === undefined ? null : new TextEncoder().encode(asked.body);
    const question = { method, target, as, attributes, origins, headers, body, pinned, from, nth };
    const rehearsal = await explain(policy, question, triggerKeys);
    if (!rehearsal.ok) return rehearsal;
    return { ok: true, value: { say: verdictOf(rehearsal.value), data: rehearsal.value } };
  },
});

const anything = v.record(v.string(), v.unknown());

const showMatrix = defineTool({
  name: 'show_matrix',
  title: 'Show the matrix',
  description:
    'Who may do what: the rows of the config by token types, with what each row asks. Rows come in pages; what all rows share (scopes, token types, cors) comes with each.',
  scope: 'config:read',
  change: null,
  need: 'everything',
  input: {
    ...paging,
    api: v.optional(text('rows of this api only')),
    type: v.optional(text('rows that tokens of this type may use, and public ones')),
  },
  output: {
    types: v.array(v.string()),
    annotations: v.array(v.string()),
    rows: v.array(anything),
    scopes: v.array(anything),
    token_types: v.array(anything),
    cors: v.array(anything),
    next: nextPage,
  },
  run: async ({ limit, after, api, type }, { policy }) => {
    const matrix = matrixOf(policy);
    const apis = new Set(matrix.rows.map((row) => row.api));
    if (api !== undefined && !apis.has(api)) {
      return complain('no api is called', api, suggest(api, apis, 'the config has none'));
    }
    if (type !== undefined && !matrix.types.includes(type)) {
      return complain(
        'unknown token type',
        type,
        suggest(type, matrix.types, 'the config defines no token types'),
      );
    }
    const wanted = matrix.rows.filter(
      (row) =>
        (api === undefined || row.api === api) &&
        (type === undefined || row.public || Object.hasOwn(row.cells, type)),
    );
    const start = after === undefined ? 0 : wanted.findIndex(({ row }) => row === after) + 1;
    if (after !== undefined && start === 0) {
      return complain(
        'no row of these is called',
        after,
        'give `next` of the page before, with the same api and type',
      );
    }
    const rows = wanted.slice(start, start + limit);
    const next = start + limit < wanted.length ? (rows.at(-1)?.row ?? null) : null;
    return { ok: true, value: { say: countOf(rows.length, 'row', next), data: { ...matrix, rows, next } } };
  },
});

export const policyTools: readonly Tool[] = [explainRequest, showMatrix];
