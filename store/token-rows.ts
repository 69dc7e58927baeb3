/** Turns rows into records and records' values into columns; it never reads or writes one. */
import type { AttributeValue, TokenRecord, TokenType } from '../policy/token-types.ts';
import type { TokensTable } from './schema.ts';

/** What a record is made of: every column but the secret's. */
export const RECORD_COLUMNS = [
  'id',
  'type',
  'label',
  'preview',
  'external_id',
  'scopes',
  'attributes',
  'origins',
  'created_at',
  'created_by',
  'not_before',
  'expires_at',
  'last_used_at',
  'rotated_to',
  'retire_at',
  'disabled_at',
  'revoked_at',
  'revoked_by',
  'revoked_reason',
  'version',
  'canary',
] as const satisfies readonly (keyof TokensTable)[];

export type RecordRow = Pick<TokensTable, (typeof RECORD_COLUMNS)[number]>;

export function recordOf(row: RecordRow): TokenRecord {
  const record = {
    id: row.id,
    type: row.type,
    label: row.label,
    preview: row.preview,
    scopes: textsOf(row.scopes),
    attributes: attributesOf(row.attributes),
    origins: textsOf(row.origins),
    externalId: row.external_id,
    createdAt: row.created_at,
    createdBy: row.created_by,
    notBefore: row.not_before,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    rotatedTo: row.rotated_to,
    retireAt: row.retire_at,
    disabledAt: row.disabled_at,
    revokedAt: row.revoked_at,
    revokedBy: row.revoked_by,
    revokedReason: row.revoked_reason,
    version: row.version,
  };
  return row.canary === 0 ? record : { ...record, canary: true };
}

/** null: it is of none of these types. */
export function recordIfOf(types: readonly TokenType[], row: RecordRow): TokenRecord | null {
  return types.some((type) => type.name === row.type) ? recordOf(row) : null;
}

const rememberedMax = 1000;
const rememberedLength = 1000;

/**
 * Texts repeat, scopes from token to token and attributes from use to use, and to parse them costs a third of reading the row.
 *
 * @param parse gives what nobody changes: it is shared.
 */
function remembering<Value>(parse: (json: string) => Value): (json: string) => Value {
  const remembered = new Map<string, Value>();
  return (json) => {
    const known = remembered.get(json);
    if (known !== undefined) return known;
    const value = parse(json);
    if (json.length > rememberedLength) return value;
    if (remembered.size >= rememberedMax) remembered.clear();
    remembered.set(json, value);
    return value;
  };
}

const textsOf = remembering<readonly string[]>((json) => Object.freeze(JSON.parse(json)));

const attributesOf = remembering<ReadonlyMap<string, AttributeValue>>((json) => {
  const attributes = new Map<string, AttributeValue>(Object.entries(JSON.parse(json)));
  for (const value of attributes.values()) Object.freeze(value);
  return attributes;
});

/** What a caller may choose of a new row. */
export type NewRow = {
  readonly id: string;
  readonly type: string;
  readonly label: string;
  readonly preview: string;
  readonly secret: Pick<TokensTable, 'digest' | 'bcrypt' | 'lookup'>;
  readonly externalId: string | null;
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly origins: readonly string[];
  readonly createdAt: number;
  readonly createdBy: string;
  readonly expiresAt: number | null;
  readonly canary?: true;
};

export function rowOf(token: NewRow): TokensTable {
  return {
    id: token.id,
    type: token.type,
    label: token.label,
    preview: token.preview,
    ...token.secret,
    external_id: token.externalId,
    scopes: JSON.stringify(token.scopes),
    attributes: JSON.stringify(Object.fromEntries(token.attributes)),
    origins: JSON.stringify(token.origins),
    created_at: token.createdAt,
    created_by: token.createdBy,
    not_before: null,
    expires_at: token.expiresAt,
    last_used_at: null,
    rotated_to: null,
    retire_at: null,
    disabled_at: null,
    revoked_at: null,
    revoked_by: null,
    revoked_reason: null,
    version: 1,
    canary: token.canary === true ? 1 : 0,
  };
}
