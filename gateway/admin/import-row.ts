/** One line of an import: JSON to a token the store can take, or what is wrong with it. Stores nothing. */
import * as v from 'valibot';
import { suggest } from '../../policy/config-problem.ts';
import {
  type Checked,
  checkAttributes,
  complain,
  heldScopes,
  labelOf,
  lacksNothing,
  originsOf,
  ownTypeNamed,
} from '../../policy/token-input.ts';
import type { AttributeValue, TokenType } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { isPipeId } from '../../store/token-format.ts';
import type { ImportedToken } from '../../store/token-store.ts';

/** The dearest hash the config lets a type have: a dearer one would hold a thread for seconds. */
const bcryptCostMax = 14;

const digits = v.pipe(
  v.string('64 hex digits'),
  v.regex(/^[0-9a-fA-F]{64}$/, '64 hex digits'),
  v.toLowerCase(),
);

const texts = v.array(v.string('a list of texts'), 'a list of texts');

/** Each message says what was expected; what was found is never repeated. */
const rowSchema = v.object(
  {
    type: v.string('a token type'),
    sha256: v.optional(digits),
    digest: v.optional(digits),
    bcrypt: v.optional(
      v.pipe(
        v.string('a bcrypt hash'),
        v.regex(/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/, 'a bcrypt hash of the kinds $2a$, $2b$ or $2y$'),
        v.check((hash) => costOf(hash) >= 4 && costOf(hash) <= bcryptCostMax, 'a cost from 4 to 14'),
      ),
    ),
    lookup: v.optional(v.string('the first characters of the token')),
    external_id: v.nullish(
      v.pipe(v.string('a text'), v.regex(/^[\x21-\x7e]{1,200}$/, '1 to 200 printable ASCII characters')),
    ),
    preview: v.optional(v.string('the first characters of the token, and ...')),
    label: v.optional(v.string('a text'), 'imported'),
    scopes: v.optional(texts, []),
    attributes: v.optional(
      v.record(v.string(), v.union([v.string(), texts], 'a text or a list of texts'), 'a map'),
      {},
    ),
    origins: v.optional(texts, []),
    created_at: time(),
    expires_at: time(),
    last_used_at: time(),
    retire_at: time(),
    disabled_at: time(),
    revoked_at: time(),
    revoked_reason: v.nullish(v.string('a text')),
    canary: v.optional(v.boolean('true or false'), false),
  },
  'a JSON object',
);

function time() {
  return v.nullish(v.pipe(v.string('a time'), v.rawTransform(readTime)));
}

type Row = v.InferOutput<typeof rowSchema>;

const rowKeys = Object.keys(rowSchema.entries);

/** The complaint's `message` and `hint` repeat nothing of the line. */
export function readImportRow(policy: Policy, text: string, by: string): Checked<ImportedToken> {
  const row = shapeOf(text);
  if (!row.ok) return row;
  const type = ownTypeNamed(policy, row.value.type);
  if (!type.ok) return type;
  const id = idOf(policy, type.value, row.value);
  return id.ok ? tokenOf(type.value, row.value, id.value, by) : id;
}

function shapeOf(text: string): Checked<Row> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return complain('not JSON', null, 'write one JSON object a line');
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
    const odd = Object.keys(json).find((key) => !rowKeys.includes(key));
    if (odd !== undefined) return complain('unknown key', odd, suggest(odd, rowKeys, ''));
  }
  const result = v.safeParse(rowSchema, json);
  if (result.success) return { ok: true, value: result.output };
  const [issue] = result.issues;
  const key = issue.path?.[0]?.key;
  if (issue.type === 'object' && key !== undefined) {
    return complain(`${String(key)} is missing`, null, `give ${String(key)}`);
  }
  const expected = issue.message.startsWith('Invalid') ? 'a value' : issue.message;
  if (key === undefined) return complain('not a row', null, `write ${expected}`);
  return complain(`${String(key)} is wrong`, null, `write ${expected}`);
}

/** Tokens of `<id>|<random>` are found by it, so one they cannot begin with would find nothing. */
function idOf(policy: Policy, type: TokenType, { external_id: id = null }: Row): Checked<string | null> {
  if (type.format !== 'id_pipe_random') return { ok: true, value: id };
  if (id === null || !isPipeId(id)) {
    const hint = 'write what stands before the |: 1 to 64 letters, digits, _ or -';
    return complain(id === null ? 'external_id is missing' : 'external_id is wrong', null, hint);
  }
  const claimed = policy.prefixes.find(
    ({ prefix }) => `${id}|`.startsWith(prefix) || prefix.startsWith(`${id}|`),
  );
  if (claimed === undefined) return { ok: true, value: id };
  const whose = claimed.type === null ? 'that only annotates' : `of type ${claimed.type.name}`;
  const message = `external_id begins like a token ${whose}, so nobody could use the token`;
  return complain(message, null, 'leave the row out and issue a new token');
}

function tokenOf(type: TokenType, row: Row, externalId: string | null, by: string): Checked<ImportedToken> {
  const hash = hashOf(type, row);
  if (!hash.ok) return hash;
  const label = labelOf(row.label);
  if (!label.ok) return label;
  const scopes = heldScopes(type, row.scopes);
  if (!scopes.ok) return scopes;
  const given = new Map<string, AttributeValue>(Object.entries(row.attributes));
  const known = checkAttributes(type, given);
  const attributes = known.ok ? lacksNothing(type, known.value) : known;
  if (!attributes.ok) return attributes;
  const origins = originsOf(row.origins);
  if (!origins.ok) return origins;
  const { preview } = row;
  if (preview !== undefined && !isPreview(type, preview)) {
    return complain('preview is wrong', null, 'write the prefix, at most 4 characters more, and ...');
  }
  const reason = row.revoked_reason == null ? null : labelOf(row.revoked_reason);
  if (reason?.ok === false) return complain('revoked_reason is wrong', null, reason.complaint.hint);
  return {
    ok: true,
    value: {
      type,
      hash: hash.value,
      externalId,
      label: label.value,
      scopes: 'fixed' in type.scopes ? type.scopes.fixed : scopes.value,
      attributes: attributes.value,
      origins: origins.value,
      createdAt: row.created_at ?? null,
      expiresAt: row.expires_at ?? null,
      createdBy: by,
      ...(preview === undefined ? {} : { preview }),
      life: {
        lastUsedAt: row.last_used_at ?? null,
        retireAt: row.retire_at ?? null,
        disabledAt: row.disabled_at ?? null,
        revokedAt: row.revoked_at ?? null,
        revokedReason: reason?.value ?? null,
      },
      ...(row.canary ? { canary: true } : {}),
    },
  };
}

/** As few of its characters as the store itself would show: a whole token is none. */
function isPreview({ format, prefix, prefixes }: TokenType, preview: string): boolean {
  if (format === 'id_pipe_random') return false;
  return [prefix, ...prefixes].some(
    (start) => preview.startsWith(start) && /^[\x21-\x7e]{0,4}\.\.\.$/.test(preview.slice(start.length)),
  );
}

function hashOf(type: TokenType, row: Row): Checked<ImportedToken['hash']> {
  const { sha256, digest, bcrypt, lookup } = row;
  if (digest !== undefined && sha256 === undefined && bcrypt === undefined)
    return keptOf(type, digest, lookup);
  // Only where the store writes a digest beside the hash itself.
  const mayHaveBoth = type.hash.use === 'bcrypt' && type.hash.thenSha256;
  const isOne = (sha256 === undefined) !== (bcrypt === undefined) || (sha256 !== undefined && mayHaveBoth);
  if (!isOne || digest !== undefined) {
    return complain('not exactly one of sha256 and bcrypt', null, 'write one of them');
  }
  if (bcrypt === undefined) return sha256Of(type, sha256 ?? '', lookup);
  const found = bcryptOf(type, bcrypt, lookup);
  if (!found.ok || sha256 === undefined) return found;
  return { ok: true, value: { ...found.value, sha256 } };
}

/** As `token export` writes it, where the same peppers are. */
function keptOf(type: TokenType, digest: string, lookup: string | undefined): Checked<ImportedToken['hash']> {
  if (lookup !== undefined) return complain('lookup belongs to bcrypt', null, 'leave it out');
  if (type.hash.use === 'sha256' && type.hash.pepper !== undefined) return { ok: true, value: { digest } };
  return complain(`tokens of type ${type.name} are kept without a pepper`, null, 'write sha256');
}

function sha256Of(
  type: TokenType,
  sha256: string,
  lookup: string | undefined,
): Checked<ImportedToken['hash']> {
  if (lookup !== undefined) return complain('lookup belongs to bcrypt', null, 'leave it out');
  if (type.hash.use === 'sha256' && type.hash.pepper === 'always') {
    const message = `tokens of type ${type.name} are never looked for without a pepper, and this one was kept without`;
    return complain(
      message,
      null,
      'write none at the end of hash.pepper, until each such token has been used once',
    );
  }
  return { ok: true, value: { sha256 } };
}

function bcryptOf(
  type: TokenType,
  bcrypt: string,
  lookup: string | undefined,
): Checked<{ readonly bcrypt: string; readonly lookup: string }> {
  if (type.hash.use !== 'bcrypt') {
    return complain(
      `tokens of type ${type.name} are not kept as bcrypt`,
      null,
      'write hash: { use: bcrypt }',
    );
  }
  const { lookupChars } = type.hash;
  if (lookup?.length !== lookupChars) {
    const hint = `write the first ${lookupChars} characters of the token`;
    return complain('lookup is missing or has another length', null, hint);
  }
  if (!type.prefixes.some((prefix) => lookup.startsWith(prefix))) {
    const hint = `tokens of type ${type.name} start with ${type.prefixes.join(' or ')}`;
    return complain('lookup starts with no prefix of the type, so nobody could use the token', null, hint);
  }
  return { ok: true, value: { bcrypt, lookup } };
}

function costOf(hash: string): number {
  return Number(hash.slice(4, 6));
}

/** RFC 3339 with an offset, to Unix ms. */
function readTime({ dataset, addIssue, NEVER }: v.RawTransformContext<string>): number {
  const shape = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;
  const ms = shape.test(dataset.value) ? Date.parse(dataset.value) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  addIssue({ message: 'a time such as 2026-01-31T12:00:00Z' });
  return NEVER;
}
