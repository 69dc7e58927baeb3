/** The routes about the config in force: the matrix, and what a request would get. They change nothing. */
import * as v from 'valibot';
import { wording } from '../../policy/config-fields.ts';
import { complainOf } from '../../policy/token-input.ts';
import type { AttributeValue } from '../../policy/token-types.ts';
import { explain } from '../explain.ts';
import { attributesOrPairs, nothingSaid, said, saidList, textOrNull, texts } from './http-fields.ts';
import { route } from './http-route.ts';
import { matrixOf } from './matrix.ts';

const words = v.record(v.string(), v.string());

const rowSchema = v.strictObject({
  row: v.string(),
  api: v.string(),
  method: v.string(),
  pattern: v.string(),
  hosts: texts,
  public: v.boolean(),
  cells: words,
  annotated_by: texts,
  bind: texts,
  limits: texts,
  origin_pin: textOrNull,
  row_origin_pin: textOrNull,
  address_pin: textOrNull,
  monitored: texts,
  bundle_pins: texts,
  body_max: v.nullable(v.number()),
  body_json: v.boolean(),
  body_cut: texts,
  cors: textOrNull,
  credentials: v.nullable(v.picklist(['pass', 'strip'])),
  observes: texts,
  errors: textOrNull,
  path_parameters: v.boolean(),
  strict_scheme: v.boolean(),
  upstream: v.string(),
  served: textOrNull,
  websocket: v.boolean(),
});

const typeSchema = v.strictObject({
  type: v.string(),
  annotates: v.boolean(),
  scopes: texts,
  granted: v.boolean(),
  prefixes: texts,
  sources: texts,
  csrf: textOrNull,
});

const scopeSchema = v.strictObject({
  scope: v.string(),
  sentence: v.string(),
  types: v.record(v.string(), v.picklist(['yes', 'grantable', 'no'])),
});

const corsSchema = v.strictObject({
  cors: v.string(),
  origins: v.union([v.literal('any'), texts]),
  methods: texts,
  headers: texts,
  expose: texts,
  credentials: v.boolean(),
  max_age_s: v.number(),
});

/** `NAME=VALUE` each, whichever way they were sent. */
function pairsOf(said: readonly string[] | Readonly<Record<string, AttributeValue>>): readonly string[] {
  if (Array.isArray(said)) return said;
  return Object.entries(said).flatMap(([name, value]) => [value].flat().map((one) => `${name}=${one}`));
}

function bodyOf(said: Partial<Record<'body' | 'body_base64', string | undefined>>): Uint8Array | null {
  if (said.body_base64 !== undefined) return Buffer.from(said.body_base64, 'base64');
  return said.body === undefined ? null : new TextEncoder().encode(said.body);
}

const matrix = route({
  method: 'GET',
  path: '/v1/config/matrix',
  name: 'showMatrix',
  summary: 'Rows by token types, with what each asks, as the config in force has them.',
  scope: 'config:read',
  query: nothingSaid,
  body: null,
  status: 200,
  answer: v.strictObject({
    types: texts,
    annotations: texts,
    rows: v.array(rowSchema),
    scopes: v.array(scopeSchema),
    token_types: v.array(typeSchema),
    cors: v.array(corsSchema),
  }),
  changes: false,
  once: null,
  handle: async ({ config }) => ({ ok: true, value: matrixOf(config.policy) }),
});

const nth = v.pipe(
  v.number(wording('', 'write a whole number from 1')),
  v.integer(wording('', 'write a whole number from 1')),
  v.minValue(1, wording('', 'write a whole number from 1')),
  v.maxValue(1_000_000_000, wording('', 'write a whole number up to 1000000000')),
  v.description('The how manieth such request it is, at the same moment; left out: limits are free.'),
);

const pinnedHint = wording('', 'write a map: {"app":"com.example.app"}');
const pinned = v.pipe(
  v.union(
    [v.array(v.string(pinnedHint)), v.record(v.string(), v.string(pinnedHint), pinnedHint)],
    pinnedHint,
  ),
  v.description('What is pinned already, by the names of pins; or as NAME=ID each.'),
);

const why = route({
  method: 'POST',
  path: '/v1/config/explain',
  name: 'explain',
  summary: 'What a request would get, and why. Sends nothing, and changes nothing.',
  scope: 'config:read',
  query: nothingSaid,
  body: v.object({
    method: said('GET, POST, …'),
    path: said('Path and query, as on the wire.'),
    as: v.optional(said('TYPE or TYPE:SCOPE+SCOPE: a made-up token of this type asks; left out: nobody.')),
    attributes: v.optional(attributesOrPairs, {}),
    origins: v.optional(saidList('Origins that token is pinned to.'), []),
    headers: v.optional(saidList("'Name: value' each."), []),
    body: v.optional(said('The request body; application/json unless a header says otherwise.')),
    body_base64: v.optional(
      v.pipe(
        v.string(wording('', 'write it in base64')),
        v.base64(wording('', 'write it in base64')),
        v.description('The same, where it is no text.'),
      ),
    ),
    pinned: v.optional(pinned, {}),
    from: v.optional(said('The address of the caller; left out: 127.0.0.1.')),
    nth: v.optional(nth),
  }),
  status: 200,
  answer: v.strictObject({
    outcome: v.picklist(['forward', 'refuse', 'serve']),
    status: v.nullable(v.number()),
    code: textOrNull,
    row: textOrNull,
    upstream: textOrNull,
    identity: words,
    steps: v.array(v.strictObject({ step: v.string(), ok: v.boolean(), detail: v.string() })),
  }),
  changes: false,
  once: null,
  async handle({ config, body: said }) {
    const { method, path: target, as = null, attributes, origins, headers, from = null, nth = null } = said;
    const isMap = !Array.isArray(attributes);
    if (isMap && Object.keys(attributes).some((name) => name.includes('='))) {
      return complainOf('attributes', 'not the name of an attribute', null, 'write it without =');
    }
    if (said.body !== undefined && said.body_base64 !== undefined) {
      return complainOf('body', 'the body is sent twice', null, 'send body, or body_base64');
    }
    const pairs = pairsOf(attributes);
    const body = bodyOf(said);
    const pinned = pairsOf(said.pinned);
    const question = { method, target, as, attributes: pairs, origins, headers, body, pinned, from, nth };
    return explain(config.policy, question, config.triggerKeys);
  },
});

export const configRoutes = [matrix, why];
