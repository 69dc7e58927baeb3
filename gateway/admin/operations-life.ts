/** What operators and `serve` rows do to tokens that are there: judged against the policy, then asked of the store. */

import { graceMsMax } from '../../policy/serve.ts';
import {
  type Checked,
  checkAttributes,
  complain,
  grantedScopes,
  heldScopes,
  labelOf,
  lacksNothing,
  originsOf,
  typeNamed,
} from '../../policy/token-input.ts';
import type { AttributeValue, TokenRecord } from '../../policy/token-types.ts';
import { formatDuration } from '../../policy/units.ts';
import type { Regenerated, Rotation, TokenChange, TokenPage } from '../../store/token-store.ts';
import { type Desk, unknownToken } from './operations.ts';

type Attributes = ReadonlyMap<string, AttributeValue>;

const tooLong = complain('that is too long a time', null, `write at most ${formatDuration(graceMsMax)}`);

export type Rotated = Extract<Rotation, { kind: 'rotated' }>;

/** @throws StoreFault */
export async function rotateToken(desk: Desk, id: string, overlapMs: number): Promise<Checked<Rotated>> {
  if (overlapMs > graceMsMax) return tooLong;
  const record = await desk.tokens.byId(id);
  if (record === null) return unknownToken();
  const type = typeNamed(desk.policy, record.type);
  if (!type.ok) return type;
  const rotation = await desk.tokens.rotate(id, type.value, overlapMs, desk.by);
  if (rotation === null) return unknownToken();
  if (rotation.kind === 'rotated') return { ok: true, value: rotation };
  const { record: found } = rotation;
  if (found.rotatedTo === null)
    return complain('this token cannot be rotated', null, 'it is not alive; create one');
  return complain('this token has a successor already', null, `rotate that one: ${found.rotatedTo}`);
}

export type RegenerationRequest = {
  readonly type: string;
  readonly attributes: Attributes;
  /** null: those of the newest token that lives, where the type lets choose. */
  readonly scopes: readonly string[] | null;
  /** For the case that none lives. */
  readonly label: string;
  readonly graceMs: number;
};

/** One new token instead of all that have these attributes. @throws StoreFault */
export async function regenerateToken(
  desk: Desk,
  request: RegenerationRequest,
): Promise<Checked<Regenerated>> {
  if (request.graceMs > graceMsMax) return tooLong;
  const type = typeNamed(desk.policy, request.type);
  if (!type.ok) return type;
  const label = labelOf(request.label);
  if (!label.ok) return label;
  const known = checkAttributes(type.value, request.attributes);
  const attributes = known.ok ? lacksNothing(type.value, known.value) : known;
  if (!attributes.ok) return attributes;
  const isFixed = 'fixed' in type.value.scopes;
  const scopes = isFixed
    ? grantedScopes(type.value, request.scopes ?? [])
    : heldScopes(type.value, request.scopes ?? []);
  if (!scopes.ok) return scopes;
  const regenerated = await desk.tokens.regenerate({
    type: type.value,
    attributes: attributes.value,
    scopes: isFixed || request.scopes !== null ? scopes.value : null,
    label: label.value,
    graceMs: request.graceMs,
    by: desk.by,
  });
  return { ok: true, value: regenerated };
}

/** As people write it; what is absent stays. */
export type ChangeRequest = {
  readonly label?: string;
  readonly origins?: readonly string[];
  /** From now; null: never. */
  readonly expiresInMs?: number | null;
  readonly attributes?: Attributes;
};

/** Attributes are given whole: what is left out of them is gone. @throws StoreFault */
export async function updateToken(
  desk: Desk,
  id: string,
  request: ChangeRequest,
): Promise<Checked<TokenRecord>> {
  const record = await desk.tokens.byId(id);
  if (record === null) return unknownToken();
  const change = changeOf(desk, record, request);
  if (!change.ok) return change;
  return unlessRevoked(await desk.tokens.update(id, change.value, desk.by));
}

function changeOf(desk: Desk, { type: name }: TokenRecord, request: ChangeRequest): Checked<TokenChange> {
  const type = typeNamed(desk.policy, name);
  if (!type.ok) return type;
  const label = request.label === undefined ? null : labelOf(request.label);
  if (label?.ok === false) return label;
  const origins = request.origins === undefined ? null : originsOf(request.origins);
  if (origins?.ok === false) return origins;
  const known = request.attributes === undefined ? null : checkAttributes(type.value, request.attributes);
  const attributes = known?.ok === true ? lacksNothing(type.value, known.value) : known;
  if (attributes?.ok === false) return attributes;
  const { expiresInMs } = request;
  if (typeof expiresInMs === 'number' && !(expiresInMs > 0 && desk.now() + expiresInMs <= 8.64e15)) {
    return complain('a token cannot expire then', null, 'give a time from now, such as 90d');
  }
  const change = {
    ...(label === null ? {} : { label: label.value }),
    ...(origins === null ? {} : { origins: origins.value }),
    ...(attributes === null ? {} : { attributes: attributes.value }),
    ...(expiresInMs === undefined
      ? {}
      : { expiresAt: expiresInMs === null ? null : desk.now() + expiresInMs }),
  };
  if (Object.keys(change).length > 0) return { ok: true, value: change };
  return complain('nothing to change', null, 'give a label, origins, attributes or when it expires');
}

/** @throws StoreFault */
export async function disableToken(desk: Desk, id: string): Promise<Checked<TokenRecord>> {
  return unlessRevoked(await desk.tokens.disable(id, desk.by));
}

/** @throws StoreFault */
export async function enableToken(desk: Desk, id: string): Promise<Checked<TokenRecord>> {
  return unlessRevoked(await desk.tokens.enable(id, desk.by));
}

function unlessRevoked(record: TokenRecord | null): Checked<TokenRecord> {
  if (record === null) return unknownToken();
  if (record.revokedAt === null) return { ok: true, value: record };
  return complain('this token is revoked, and stays as it is', null, 'create another');
}

/** Revoked ones too, oldest first. @throws StoreFault */
export async function listTokensOf(
  { tokens }: Desk,
  filter: {
    readonly type: string;
    readonly attributes: Attributes;
    readonly limit: number;
    readonly after: string | null;
  },
): Promise<TokenPage> {
  const { type, attributes, limit, after } = filter;
  return tokens.list({ type, attributes, limit, ...(after === null ? {} : { after }) });
}
