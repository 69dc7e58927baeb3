/** The tools of one token type: make, list, end and replace its tokens. Their names and parameters come from the config. */
import * as v from 'valibot';
import { graceMsMax } from '../../policy/serve.ts';
import { type Checked, complain, labelOf } from '../../policy/token-input.ts';
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import { changed, countOf, keptFields, noDatabase, proposed, whereKept } from './mcp-changed.ts';
import { keeping, notKept } from './mcp-secret.ts';
import { attributeWords, belongsTo, paramsOf, type TypeParams } from './mcp-token-params.ts';
import { tokenSchema } from './mcp-token-view.ts';
import {
  type Answer,
  type Call,
  commandOf,
  defineTool,
  nextPage,
  paging,
  type Tool,
  text,
  texts,
  whole,
} from './mcp-tool.ts';
import {
  checkNewToken,
  createToken,
  listTokens,
  revokeToken,
  showToken,
  type TokenRequest,
} from './operations.ts';
import { checkDisable, checkOverlap, disableToken, listTokensOf, rotateToken } from './operations-life.ts';
import { type ToldToken, toldPage, toldRotated, toldToken } from './token-told.ts';

const yearsS = 100 * 365 * 86_400;

/** As the store has it, and as it is told. */
type Found = { readonly record: TokenRecord; readonly told: ToldToken };

const tokenId = text('the id of one of its tokens, tok_…');

/** @returns none for a type whose tokens the upstream issues, and no `create` for one whose tokens need a secret said. */
export function tokenTools(type: TokenType, own: readonly string[]): readonly Tool[] {
  const params = paramsOf(type, own);
  if (type.verify !== undefined || !params.ok) return [];
  const tools = [listTool, revokeTool, disableTool, rotateTool].map((make) => make(type, params.value));
  return type.csrf === undefined ? [createTool(type, params.value), ...tools] : tools;
}

function createTool(type: TokenType, params: TypeParams): Tool {
  const { scopes } = type;
  const chosen =
    'fixed' in scopes ? {} : { scopes: v.optional(texts(`some of ${scopes.grantable.join(', ')}`)) };
  return defineTool({
    name: `create_${type.name}_token`,
    title: `Create a ${type.name} token`,
    description: `Makes a token of type ${type.name}. Its text is not in the answer, unless the operator asked for that: the answer says where it is.`,
    scope: 'tokens:write',
    change: { destructive: false, idempotent: false },
    named: { ...params.all, ...chosen },
    input: {
      label: text('what people know it by, 1 to 120 characters'),
      allowedOrigins: v.optional(
        texts('the origins it may be used from: https://app.example.com; left out: any'),
      ),
      expiresInSeconds: v.optional(whole('when it ends, in seconds from now; left out: never', 1, yearsS)),
    },
    output: {
      ...changed,
      ...keptFields,
      token: v.nullable(tokenSchema),
      would_have: v.pipe(
        v.nullable(
          v.object({
            type: v.string(),
            label: v.string(),
            scopes: v.array(v.string()),
            origins: v.array(v.string()),
            expires_at: v.nullable(v.string()),
          }),
        ),
        v.description('where it was not made: what it would have'),
      ),
    },
    run: async ({ label, allowedOrigins: origins = [], expiresInSeconds }, call, named) => {
      const attributes = params.read(named);
      if (!attributes.ok) return attributes;
      const scopes = (named.scopes as readonly string[] | undefined) ?? [];
      const expiresInMs = expiresInSeconds === undefined ? null : expiresInSeconds * 1000;
      const request = { type: type.name, label, scopes, attributes: attributes.value, origins, expiresInMs };
      return call.applies ? makeToken(request, call) : proposeToken(request, call);
    },
  });
}

function proposeToken(request: TokenRequest, call: Call): Answer {
  const checked = checkNewToken(call.policy, request, call.room.now());
  if (!checked.ok) return checked;
  const { type, label, scopes, attributes, origins, expiresAt } = checked.value;
  const { expiresInMs } = request;
  const words = [
    ...['token', 'create', '--type', type.name, '--label', label],
    ...request.scopes.flatMap((scope) => ['--scope', scope]),
    ...attributeWords(attributes),
    ...origins.flatMap((origin) => ['--origin', origin]),
    ...(expiresInMs === null ? [] : ['--expires-in', `${expiresInMs / 1000}s`]),
  ];
  const expires_at = expiresAt === null ? null : new Date(expiresAt).toISOString();
  const would_have = { type: type.name, label, scopes, origins, expires_at };
  const command = commandOf(call, ...words);
  return proposed('a token would be made', { applied: false, command, ...notKept, token: null, would_have });
}

async function makeToken(request: TokenRequest, call: Call): Promise<Answer> {
  const made = await keeping(call.room.secrets, request.type, async () => {
    const created = await call.atDesk('create', async (desk) => {
      const done = await createToken(desk, request);
      if (!done.ok) return done;
      const { record, plaintext: secret } = done.value;
      return { ok: true as const, value: { secret, rest: await toldToken(desk, record) } };
    });
    return created ?? noDatabase;
  });
  if (!made.ok) return made;
  const { kept, rest: token } = made.value;
  const data = { applied: true, command: null, ...kept, token, would_have: null };
  return { ok: true, value: { say: `made ${token.id}; ${whereKept(kept)}`, data } };
}

function listTool(type: TokenType, params: TypeParams): Tool {
  return defineTool({
    name: `list_${type.name}_tokens`,
    title: `List ${type.name} tokens`,
    description: `Tokens of type ${type.name}, oldest first, the ended ones too. Never their text.`,
    scope: 'tokens:read',
    change: null,
    named: params.all,
    input: paging,
    output: { tokens: v.array(tokenSchema), next: nextPage },
    run: async ({ limit, after = null }, call, named) => {
      const attributes = params.read(named);
      if (!attributes.ok) return attributes;
      const filter = { type: type.name, limit, after };
      const listed = await call.atDesk('read', async (desk) => {
        const page =
          attributes.value.size === 0
            ? await listTokens(desk, filter)
            : await listTokensOf(desk, { ...filter, attributes: attributes.value });
        return toldPage(desk, page);
      });
      if (listed?.ok === false) return listed;
      const page = listed?.value;
      const tokens = page?.tokens ?? [];
      const data = { tokens, next: page?.next ?? null };
      return { ok: true, value: { say: countOf(tokens.length, 'token', data.next), data } };
    },
  });
}

function revokeTool(type: TokenType, params: TypeParams): Tool {
  return defineTool({
    name: `revoke_${type.name}_token`,
    title: `Revoke a ${type.name} token`,
    description: `Ends a token of type ${type.name} for good, at once. One that is revoked already stays as it is.`,
    scope: 'tokens:write',
    change: { destructive: true, idempotent: true },
    named: params.whose,
    input: { tokenId, reason: v.optional(text('why, for the audit, 1 to 120 characters')) },
    output: { ...changed, token: tokenSchema },
    run: async ({ tokenId, reason = null }, call, named) => {
      if (reason !== null && !labelOf(reason).ok) {
        return complain('not a reason', null, 'use 1 to 120 printable characters');
      }
      const found = await tokenOf(type, params, call, named, tokenId);
      if (!found.ok) return found;
      if (!call.applies) {
        const words = ['token', 'revoke', tokenId, ...(reason === null ? [] : ['--reason', reason])];
        const { told: token } = found.value;
        const data = { applied: false, command: commandOf(call, ...words), token };
        const is = token.revoked_at === null ? 'would be revoked' : 'is revoked already, and stays so';
        return proposed(`${tokenId} ${is}`, data);
      }
      const revoked = await call.atDesk('change', async (desk) => {
        const record = await revokeToken(desk, tokenId, reason);
        return record.ok ? { ok: true as const, value: await toldToken(desk, record.value) } : record;
      });
      if (revoked === null) return noDatabase;
      if (!revoked.ok) return revoked;
      const token = revoked.value;
      const data = { applied: true, command: null, token };
      return { ok: true, value: { say: `${token.id} is revoked since ${token.revoked_at}`, data } };
    },
  });
}

function disableTool(type: TokenType, params: TypeParams): Tool {
  return defineTool({
    name: `disable_${type.name}_token`,
    title: `Disable a ${type.name} token`,
    description: `Refuses a token of type ${type.name} from now on, until a person enables it again: what can be undone, where somebody has yet to decide.`,
    scope: 'tokens:write',
    change: { destructive: true, idempotent: true },
    named: params.whose,
    input: { tokenId },
    output: { ...changed, token: tokenSchema },
    run: async ({ tokenId }, call, named) => {
      const found = await tokenOf(type, params, call, named, tokenId);
      if (!found.ok) return found;
      if (!call.applies) {
        const may = checkDisable(found.value.record);
        if (!may.ok) return may;
        const command = commandOf(call, 'token', 'disable', tokenId);
        const data = { applied: false, command, token: found.value.told };
        const is = may.value.disabledAt === null ? 'would be disabled' : 'is disabled already';
        return proposed(`${tokenId} ${is}`, data);
      }
      const disabled = await call.atDesk('change', async (desk) => {
        const record = await disableToken(desk, tokenId);
        return record.ok ? { ok: true as const, value: await toldToken(desk, record.value) } : record;
      });
      if (disabled === null) return noDatabase;
      if (!disabled.ok) return disabled;
      const token = disabled.value;
      const data = { applied: true, command: null, token };
      return { ok: true, value: { say: `${token.id} is disabled since ${token.disabled_at}`, data } };
    },
  });
}

function rotateTool(type: TokenType, params: TypeParams): Tool {
  return defineTool({
    name: `rotate_${type.name}_token`,
    title: `Rotate a ${type.name} token`,
    description: `Makes a successor of a token of type ${type.name}, with the same rights; the token itself works on for a while. The successor's text is kept apart, as with create_${type.name}_token.`,
    scope: 'tokens:write',
    change: { destructive: true, idempotent: false },
    named: params.whose,
    input: {
      tokenId,
      overlapSeconds: v.optional(
        whole('how long the old one still works; 0: not at all', 0, graceMsMax / 1000),
        86_400,
      ),
      retireWhenQuiet: v.optional(
        v.pipe(
          v.boolean(),
          v.description('true: it ends before, once its successor is in use and it was not for 25 hours'),
        ),
        false,
      ),
    },
    output: {
      ...changed,
      ...keptFields,
      token: v.pipe(v.nullable(tokenSchema), v.description('the successor; null: it was not made')),
      replaces: v.pipe(tokenSchema, v.description('the token that comes to its end')),
    },
    run: async ({ tokenId, overlapSeconds, retireWhenQuiet: whenQuiet }, call, named) => {
      const overlap = checkOverlap(overlapSeconds * 1000, whenQuiet);
      if (!overlap.ok) return overlap;
      const found = await tokenOf(type, params, call, named, tokenId);
      if (!found.ok) return found;
      return (call.applies ? replaceToken : proposeRotation)(
        found.value.told,
        { overlapSeconds, whenQuiet },
        call,
      );
    },
  });
}

type RotateRequest = { readonly overlapSeconds: number; readonly whenQuiet: boolean };

function proposeRotation(
  replaces: ToldToken,
  { overlapSeconds, whenQuiet }: RotateRequest,
  call: Call,
): Answer {
  const { id, rotated_to: successor, state } = replaces;
  if (successor !== null) {
    return complain('this token has a successor already', null, `rotate that one: ${successor}`);
  }
  if (state !== 'active' && state !== 'not_yet_valid') {
    return complain('this token cannot be rotated', null, 'it is not alive; create one');
  }
  const quiet = whenQuiet ? ['--retire-when-quiet'] : [];
  const command = commandOf(call, 'token', 'rotate', id, '--overlap', `${overlapSeconds}s`, ...quiet);
  const data = { applied: false, command, ...notKept, token: null, replaces };
  return proposed(`${id} would get a successor`, data);
}

async function replaceToken(
  { id, type }: ToldToken,
  { overlapSeconds, whenQuiet }: RotateRequest,
  call: Call,
): Promise<Answer> {
  const made = await keeping(call.room.secrets, type, async () => {
    const rotated = await call.atDesk('change', async (desk) => {
      const done = await rotateToken(desk, id, overlapSeconds * 1000, whenQuiet);
      if (!done.ok) return done;
      const { record, plaintext: secret } = done.value.created;
      const rest = {
        token: await toldToken(desk, record),
        replaces: toldRotated(desk, done.value),
      };
      return { ok: true as const, value: { secret, rest } };
    });
    return rotated ?? noDatabase;
  });
  if (!made.ok) return made;
  const { kept, rest } = made.value;
  const data = { applied: true, command: null, ...kept, ...rest };
  return { ok: true, value: { say: `made ${rest.token.id} in place of ${id}; ${whereKept(kept)}`, data } };
}

/** A token of another type or owner is none here. What was asked for is not repeated. */
async function tokenOf(
  type: TokenType,
  params: TypeParams,
  call: Call,
  named: Readonly<Record<string, unknown>>,
  id: string,
): Promise<Checked<Found>> {
  const whose = params.read(named);
  if (!whose.ok) return whose;
  const found = await call.atDesk('read', async (desk) => {
    const shown = await showToken(desk, id);
    const isTheirs = shown.ok && shown.value.type === type.name && belongsTo(shown.value, whose.value);
    return isTheirs ? { record: shown.value, told: await toldToken(desk, shown.value) } : null;
  });
  if (found !== null) return { ok: true, value: found };
  const hint = `find it with list_${type.name}_tokens; an id starts with tok_`;
  return complain('no token of this type and owner has this id', null, hint);
}
