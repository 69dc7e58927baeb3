/** What `serve` rows do and answer: the operators' own operations, under what the row has fixed. */
import { denied } from '../../policy/denial.ts';
import { attributesShown } from '../../policy/secret-attributes.ts';
import type { Serving, TokenServing } from '../../policy/serve-types.ts';
import type { AttributeValue, TokenRecord, TokenType } from '../../policy/token-types.ts';
import type { Outcome } from '../../policy/types.ts';
import type { CreatedToken } from '../../store/token-store.ts';
import type { Operate, Operated } from '../serve.ts';
import { done, expected } from './operated.ts';
import { createToken, type Desk, revokeToken } from './operations.ts';
import { listTokensOf, regenerateToken, rotateToken } from './operations-life.ts';
import { operateProbe } from './operations-serve-probe.ts';

/** The actor of what it does is the caller's token: `token:tok_…`, or `upstream:TYPE` where the upstream knows whose it is. */
export function serveOperations(rooms: Omit<Desk, 'policy' | 'triggerSigners' | 'by' | 'holds'>): Operate {
  return ({ policy, triggerSigners }, { token, unverified }, serving) => {
    const desk = { ...rooms, policy, triggerSigners, holds: [] };
    if (token !== null) return operate({ ...desk, by: `token:${token.id}` }, serving);
    // Only where the upstream has just said yes is such a caller anybody.
    if (unverified === undefined || serving.rule.confirm === null) throw new Error('a row serves nobody');
    return operate({ ...desk, by: `upstream:${unverified.type}` }, serving);
  };
}

function operate(desk: Desk, serving: Serving): Promise<Outcome<Operated>> {
  return serving.kind === 'probe' ? operateProbe(desk, serving) : operateToken(desk, serving);
}

function operateToken(desk: Desk, serving: TokenServing): Promise<Outcome<Operated>> {
  switch (serving.rule.operation) {
    case 'token.create':
      return create(desk, serving);
    case 'token.list':
      return list(desk, serving);
    case 'token.revoke':
      return revoke(desk, serving);
    case 'token.regenerate':
      return regenerate(desk, serving);
    case 'token.rotate':
      return rotate(desk, serving);
  }
}

async function create(
  desk: Desk,
  { rule, attributes, scopes, choice }: TokenServing,
): Promise<Outcome<Operated>> {
  if (choice === null) throw new Error('nobody chose what the token is to be');
  const { label, origins, lifeMs } = choice;
  const made = expected(
    await createToken(desk, {
      type: rule.type.name,
      label,
      scopes: scopes ?? [],
      attributes,
      origins,
      expiresInMs: lifeMs,
    }),
  );
  // Whoever makes a token is told all that it takes to use it; later, nobody is.
  const view = viewWith(made.record, Object.fromEntries(made.record.attributes));
  const { plaintext } = made;
  return done(201, { ...view, plaintext, token: { ...view, plaintext } });
}

async function list(desk: Desk, { rule, attributes, page }: TokenServing): Promise<Outcome<Operated>> {
  if (page === null) throw new Error('nobody said which page');
  const filter = { type: rule.type.name, attributes, ...page };
  const { tokens, next } = expected(await listTokensOf(desk, filter));
  // Operators alone know of canaries.
  const shown = tokens.filter(({ canary }) => canary !== true);
  return done(200, { tokens: shown.map((record) => viewOf(record, rule.type)), next_cursor: next });
}

async function revoke(desk: Desk, serving: TokenServing): Promise<Outcome<Operated>> {
  const record = await recordOf(desk, serving);
  if (record === null) return notFound;
  const view = viewOf(expected(await revokeToken(desk, record.id, null)), serving.rule.type);
  return done(200, { ...view, token: view });
}

async function regenerate(
  desk: Desk,
  { rule, attributes, scopes, graceMs }: TokenServing,
): Promise<Outcome<Operated>> {
  const { name } = rule.type;
  const { created, replaced } = expected(
    await regenerateToken(desk, { type: name, attributes, scopes, label: name, graceMs }),
  );
  return done(200, { ...withSecret(created, rule.type), replaced });
}

async function rotate(desk: Desk, serving: TokenServing): Promise<Outcome<Operated>> {
  const record = await recordOf(desk, serving);
  if (record === null || !isWithin(record, serving)) return notFound;
  const rotated = await rotateToken(desk, record.id, serving.rule.overlapMs);
  // It has a successor, or is not alive: there is no such token to rotate.
  if (!rotated.ok) return notFound;
  const { created, before } = rotated.value;
  const { type } = serving.rule;
  return done(200, { ...withSecret(created, type), rotated: viewOf(before, type) });
}

/** null: no token of the row's type and attributes has the id, and whether another one has it is nobody's business. */
async function recordOf(
  desk: Desk,
  { rule, attributes, tokenId }: TokenServing,
): Promise<TokenRecord | null> {
  const record = tokenId === null ? null : await desk.tokens.byId(tokenId);
  if (record === null || record.type !== rule.type.name || record.canary === true) return null;
  return hasSame(record.attributes, attributes) ? record : null;
}

/** A successor's plaintext goes to the caller, so it must be able to do no more than the row says. */
function isWithin({ attributes, scopes }: TokenRecord, serving: TokenServing): boolean {
  const allowed = serving.scopes;
  if (allowed !== null && !scopes.every((scope) => allowed.includes(scope))) return false;
  return attributes.size === serving.attributes.size;
}

/** Each named attribute is the same; of a list, in any order. */
function hasSame(
  held: ReadonlyMap<string, AttributeValue>,
  asked: ReadonlyMap<string, AttributeValue>,
): boolean {
  return [...asked].every(([name, value]) => textOf(held.get(name)) === textOf(value));
}

function textOf(value: AttributeValue | undefined): string {
  return JSON.stringify(typeof value === 'object' ? [...new Set(value)].sort() : value) ?? '';
}

const notFound = denied('record_not_found', 'no token of this type and these attributes has the id');

/** `token` is the plaintext itself here: what clients of a regenerate look for. */
function withSecret({ record, plaintext }: CreatedToken, type: TokenType): Readonly<Record<string, unknown>> {
  return { ...viewOf(record, type), token: plaintext };
}

/** Attributes that are secrets are hidden. */
function viewOf(record: TokenRecord, type: TokenType): Readonly<Record<string, unknown>> {
  return viewWith(record, attributesShown(record.attributes, type));
}

/**
 * A record as products' clients know it: both names where there are two in use, and its attributes beside the rest as
 * well (an attribute `project_id` is the `project_id` of the answer). Never its own secret: a record has none.
 */
function viewWith(
  { id, type, label, preview, scopes, origins, ...record }: TokenRecord,
  attributes: Readonly<Record<string, AttributeValue>>,
): Readonly<Record<string, unknown>> {
  return {
    ...attributes,
    token_id: id,
    id,
    type,
    label,
    preview,
    scopes,
    attributes,
    allowed_origins: origins,
    created_at: new Date(record.createdAt).toISOString(),
    expires_at: timeOf(record.expiresAt),
    last_used_at: timeOf(record.lastUsedAt),
    retire_at: timeOf(record.retireAt),
    revoked_at: timeOf(record.revokedAt),
  };
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
