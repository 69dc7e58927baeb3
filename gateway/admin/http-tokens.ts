/** The routes about tokens. */
import * as v from 'valibot';
import { wording } from '../../policy/config-fields.ts';
import { type Checked, complain, complainOf, ofField, typeNamed } from '../../policy/token-input.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import { attributesAsked, attributesOf, attributesOfToken } from './http-attributes.ts';
import {
  attributesOrPairs,
  dryRun,
  lasting,
  nothingSaid,
  paging,
  said,
  saidList,
  textOrNull,
  texts,
  time,
  timeOrNever,
} from './http-fields.ts';
import { retirementOrNull } from './http-retirement.ts';
import { type Call, route, type View } from './http-route.ts';
import { createToken, type Desk, listTokens, revokeToken, showToken } from './operations.ts';
import {
  type ChangeRequest,
  disableToken,
  enableToken,
  listTokensOf,
  regenerateToken,
  rotateToken,
  updateToken,
} from './operations-life.ts';
import { toldRotated, toldToken, toldTokens } from './token-told.ts';
import { secretView, tokenStates } from './token-view.ts';

const tokenEntries = {
  id: v.string(),
  type: v.string(),
  label: v.string(),
  preview: v.string(),
  state: v.picklist(tokenStates),
  scopes: texts,
  attributes: v.record(v.string(), v.union([v.string(), texts])),
  origins: texts,
  external_id: textOrNull,
  created_at: time,
  created_by: v.string(),
  not_before: timeOrNever,
  expires_at: timeOrNever,
  last_used_at: timeOrNever,
  rotated_to: textOrNull,
  retire_at: timeOrNever,
  disabled_at: timeOrNever,
  revoked_at: timeOrNever,
  revoked_by: textOrNull,
  revoked_reason: textOrNull,
  version: v.number(),
  retirement: retirementOrNull,
};

export const tokenSchema = v.strictObject(tokenEntries);
const changedSchema = v.strictObject({ ...tokenEntries, ...dryRun });
const secretEntries = {
  ...tokenEntries,
  token: v.pipe(
    v.nullable(v.string()),
    v.description('The token, this once; null in a dry run or a replay.'),
  ),
  ...dryRun,
};

const overlapDefault = '24h';

const retireWhen = v.pipe(
  v.picklist(['at_deadline', 'when_quiet'], wording('', 'write at_deadline or when_quiet')),
  v.description('when_quiet: it ends before, once its successor is in use and it was not for 25 hours.'),
);

async function changed(
  { desk }: Pick<Call<unknown, unknown>, 'desk'>,
  record: Checked<TokenRecord>,
): Promise<Checked<View>> {
  return record.ok ? { ok: true, value: await toldToken(desk, record.value) } : record;
}

const create = route({
  method: 'POST',
  path: '/v1/tokens',
  name: 'createToken',
  summary: 'Make a token; its text is in this answer and nowhere else.',
  scope: 'tokens:write',
  query: nothingSaid,
  body: v.object({
    type: said('A token type of the config, or postern_admin.'),
    label: v.optional(said('What people know it by.'), 'unnamed'),
    scopes: v.optional(saidList('What it may do, where the type lets choose.'), []),
    attributes: v.optional(attributesOrPairs, {}),
    origins: v.optional(saidList('Where it may be used from; empty: anywhere.'), []),
    expires_in: v.optional(lasting('From now; left out: it never expires.', '90d')),
    canary: v.optional(
      v.pipe(
        v.boolean(wording('', 'write true or false')),
        v.description('Whether it grants nothing, and its use is an alert.'),
      ),
      false,
    ),
  }),
  status: 201,
  answer: v.strictObject(secretEntries),
  changes: true,
  once: async ({ desk }, { id }) => replayed(desk, await showToken(desk, id), {}),
  async handle({ desk, body }) {
    const { expires_in: expiresInMs = null, attributes, ...request } = body;
    const named = attributesOf(desk.policy, body.type, attributes);
    if (!named.ok) return named;
    const made = await createToken(desk, { ...request, attributes: named.value, expiresInMs });
    if (!made.ok) return made;
    const { record, plaintext } = made.value;
    return { ok: true, value: secretView(await toldToken(desk, record), plaintext) };
  },
});

async function replayed(desk: Desk, record: Checked<TokenRecord>, more: View): Promise<Checked<View>> {
  if (!record.ok) return record;
  return { ok: true, value: secretView(await toldToken(desk, record.value), null, more) };
}

const list = route({
  method: 'GET',
  path: '/v1/tokens',
  name: 'listTokens',
  summary: 'Tokens, oldest first.',
  scope: 'tokens:read',
  query: v.object({
    type: v.optional(said('Of this type only.')),
    attribute: v.optional(saidList('With type: that have this, as name=value; may stand several times.'), []),
    unused_for: v.optional(lasting('Only those that were not used for so long, and are not revoked.', '90d')),
    ...paging,
  }),
  body: null,
  status: 200,
  answer: v.strictObject({ tokens: v.array(tokenSchema), next: textOrNull }),
  changes: false,
  once: null,
  async handle({ desk, query }) {
    const { type = null, attribute: pairs, unused_for: unusedForMs = null, limit, after = null } = query;
    if (type === null && pairs.length > 0) {
      return complainOf('attribute', 'attributes of no type', null, 'add type');
    }
    const known = type === null ? null : typeNamed(desk.policy, type);
    const named = type === null || pairs.length === 0 ? null : attributesAsked(desk.policy, type, pairs);
    if (named?.ok === false) return named;
    const listed =
      named === null || type === null
        ? await listTokens(desk, { type, limit, after, unusedForMs })
        : await listTokensOf(desk, { type, attributes: named.value, limit, after, unusedForMs });
    if (!listed.ok) return listed;
    const page = listed.value;
    // Tokens may outlive their type; a type that neither has is a slip of the pen.
    if (page.tokens.length === 0 && known?.ok === false) return known;
    return { ok: true, value: { tokens: await toldTokens(desk, page.tokens), next: page.next } };
  },
});

const show = route({
  method: 'GET',
  path: '/v1/tokens/{id}',
  name: 'showToken',
  summary: 'All that is known of one token.',
  scope: 'tokens:read',
  query: nothingSaid,
  body: null,
  status: 200,
  answer: tokenSchema,
  versioned: true,
  changes: false,
  once: null,
  handle: async (call) => changed(call, await showToken(call.desk, call.params.id ?? '')),
});

const update = route({
  method: 'PATCH',
  path: '/v1/tokens/{id}',
  name: 'updateToken',
  summary: 'Change what is written; what is left out stays.',
  scope: 'tokens:write',
  query: nothingSaid,
  body: v.object({
    label: v.optional(said('What people know it by.')),
    origins: v.optional(saidList('The whole list; empty: anywhere.')),
    attributes: v.optional(attributesOrPairs),
    scopes: v.optional(saidList('All that it may do, where the type lets choose.')),
    expires_in: v.optional(v.nullable(lasting('From now; null: it never expires.', '90d'))),
  }),
  status: 200,
  answer: changedSchema,
  versioned: true,
  changes: true,
  once: null,
  async handle(call) {
    const { label, origins, attributes: said, scopes, expires_in: expiresInMs } = call.body;
    const attributes =
      said === undefined ? undefined : await attributesOfToken(call.desk, call.params.id ?? '', said);
    if (attributes?.ok === false) return attributes;
    const request: ChangeRequest = {
      ...(label === undefined ? {} : { label }),
      ...(origins === undefined ? {} : { origins }),
      ...(scopes === undefined ? {} : { scopes }),
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
      ...(attributes === undefined ? {} : { attributes: attributes.value }),
      ...(call.ifVersions === null ? {} : { ifVersions: call.ifVersions }),
    };
    const updated = await updateToken(call.desk, call.params.id ?? '', request);
    const isStale = !updated.ok && updated.complaint.kind === 'stale';
    return changed(call, isStale ? ofField('If-Match', updated) : updated);
  },
});

const rotate = route({
  method: 'POST',
  path: '/v1/tokens/{id}/rotate',
  name: 'rotateToken',
  summary: 'Make a successor; the token itself works until its overlap is over.',
  scope: 'tokens:write',
  query: nothingSaid,
  body: v.object({
    overlap: v.optional(lasting('How long it still works; 0s: not at all.', overlapDefault), overlapDefault),
    retire: v.optional(retireWhen, 'at_deadline'),
  }),
  status: 201,
  answer: v.strictObject({ ...secretEntries, rotated: tokenSchema }),
  changes: true,
  once: async ({ desk, params }, { id }) => {
    const before = await showToken(desk, params.id ?? '');
    if (!before.ok) return before;
    return replayed(desk, await showToken(desk, id), { rotated: await toldToken(desk, before.value) });
  },
  async handle({ desk, params, body }) {
    const whenQuiet = body.retire === 'when_quiet';
    const rotated = await rotateToken(desk, params.id ?? '', body.overlap, whenQuiet);
    if (!rotated.ok) return rotated;
    const { record, plaintext } = rotated.value.created;
    const more = { rotated: toldRotated(desk, rotated.value) };
    return { ok: true, value: secretView(await toldToken(desk, record), plaintext, more) };
  },
});

const regenerate = route({
  method: 'POST',
  path: '/v1/tokens/regenerate',
  name: 'regenerateToken',
  summary: 'End every token of a type with these attributes, and make one instead.',
  scope: 'tokens:write',
  query: nothingSaid,
  body: v.object({
    type: said('A token type of the config.'),
    attributes: v.optional(attributesOrPairs, {}),
    scopes: v.optional(saidList('What it may do; left out: what the newest may.')),
    label: v.optional(said('Where there is none yet: what people know it by.'), 'unnamed'),
    grace: v.optional(lasting('How long the others still work; left out: not at all.', '24h')),
  }),
  status: 201,
  answer: v.strictObject({ ...secretEntries, replaced: texts }),
  changes: true,
  once: async ({ desk }, { id, replaced }) => replayed(desk, await showToken(desk, id), { replaced }),
  async handle({ desk, body }) {
    const { type, label, scopes = null, grace: graceMs = 0 } = body;
    const named = attributesOf(desk.policy, type, body.attributes);
    if (!named.ok) return named;
    const attributes = named.value;
    const regenerated = await regenerateToken(desk, { type, attributes, scopes, label, graceMs });
    if (!regenerated.ok) return regenerated;
    const { created, replaced } = regenerated.value;
    const view = await toldToken(desk, created.record);
    return { ok: true, value: secretView(view, created.plaintext, { replaced }) };
  },
});

const ends = [
  ['disable', 'Refuse a token until it is enabled again.', disableToken],
  ['enable', 'Let a disabled token pass again.', enableToken],
] as const;

const switches = ends.map(([name, summary, operation]) =>
  route({
    method: 'POST',
    path: `/v1/tokens/{id}/${name}`,
    name: `${name}Token`,
    summary,
    scope: 'tokens:write',
    query: nothingSaid,
    body: nothingSaid,
    status: 200,
    answer: changedSchema,
    changes: true,
    once: null,
    handle: async (call) => changed(call, await operation(call.desk, call.params.id ?? '')),
  }),
);

const revoke = route({
  method: 'POST',
  path: '/v1/tokens/{id}/revoke',
  name: 'revokeToken',
  summary: 'End a token: no request that comes after gets through.',
  scope: 'tokens:write',
  query: nothingSaid,
  body: v.object({
    reason: v.optional(v.nullable(v.string(wording('', 'write a text')))),
  }),
  status: 200,
  answer: changedSchema,
  changes: true,
  once: null,
  handle: async (call) =>
    changed(call, await revokeToken(call.desk, call.params.id ?? '', call.body.reason ?? null)),
});

const whoami = route({
  method: 'GET',
  path: '/v1/whoami',
  name: 'whoami',
  summary: 'The admin token that asks.',
  scope: null,
  query: nothingSaid,
  body: null,
  status: 200,
  answer: tokenSchema,
  changes: false,
  once: null,
  handle: async ({ desk, operator }) =>
    operator === null
      ? complain('no token asks: the store is right here', null, 'say which gateway: --url URL')
      : { ok: true, value: await toldToken(desk, operator.record) },
});

export const tokenRoutes = [whoami, create, list, show, update, rotate, regenerate, ...switches, revoke];
