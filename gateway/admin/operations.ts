/**
 * What operators do to tokens, whichever face they use: each operation judges its input against the
 * policy, then asks the store. Plain functions; no streams, no HTTP, no words for a terminal.
 */

import { lackingScope, withoutAdminType } from '../../policy/admin-type.ts';
import { tokenCursor } from '../../policy/cursors.ts';
import {
  type Checked,
  type Complained,
  checkAttributes,
  complain,
  complainOf,
  grantedScopes,
  labelOf,
  lacksNothing,
  ofField,
  originsOf,
  ownTypeNamed,
} from '../../policy/token-input.ts';
import type { AttributeValue, TokenRecord } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import type { AlertStore } from '../../store/alert-store.ts';
import type { AuditStore } from '../../store/audit-store.ts';
import type { PinStore } from '../../store/pin-store.ts';
import type { ProbeStore } from '../../store/probe-store.ts';
import type { RetirementStore } from '../../store/retirement-store.ts';
import type {
  CreatedToken,
  ImportedToken,
  NewToken,
  TokenPage,
  TokenStore,
} from '../../store/token-store.ts';
import type { TokenWrites } from '../../store/token-writing.ts';
import type { UsageStore } from '../../store/usage-store.ts';
import type { TriggerSigners } from '../trigger.ts';
import { goesOn } from './cursors.ts';
import { readImportRow } from './import-row.ts';

/** What operations do to tokens; on a dry run the changes leave nothing. */
export type DeskTokens = Pick<TokenStore, 'find' | 'byId' | 'byIds' | 'list' | 'kept' | 'import'> &
  TokenWrites;

/** What an operation works with. */
export type Desk = {
  readonly policy: Policy;
  readonly tokens: DeskTokens;
  readonly pins: PinStore;
  readonly probes: ProbeStore;
  /** What signs triggers, by type. */
  readonly triggerSigners: TriggerSigners;
  readonly audit: AuditStore;
  readonly usage: UsageStore;
  readonly retirements: Pick<RetirementStore, 'asked'>;
  readonly alerts: AlertStore;
  /** Unix ms. */
  readonly now: () => number;
  /** Who acts, for the record. */
  readonly by: string;
  /** The admin scopes of whoever acts; null: somebody at the machine itself, who may do anything. */
  readonly holds: readonly string[] | null;
};

export type TokenRequest = {
  readonly type: string;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  readonly origins: readonly string[];
  /** null: never. */
  readonly expiresInMs: number | null;
  /** It is to grant nothing, and to sound an alarm when it is used; absent: a token like any other. */
  readonly canary?: boolean;
};

/** The latest time a `Date` can say, in Unix ms. */
const latestMs = 8.64e15;
const importChunk = 500;

/** @throws StoreFault */
export async function createToken(desk: Desk, request: TokenRequest): Promise<Checked<CreatedToken>> {
  const token = checkNewToken(desk.policy, request, desk.now());
  if (!token.ok) return token;
  const grant = ofField('scopes', grantable(desk, { type: request.type, scopes: token.value.scopes }));
  if (!grant.ok) return grant;
  return { ok: true, value: await desk.tokens.create({ ...token.value, createdBy: desk.by }) };
}

/** All that `createToken` checks. @param now Unix ms. */
export function checkNewToken(
  policy: Policy,
  request: TokenRequest,
  now: number,
): Checked<Omit<NewToken, 'createdBy'>> {
  const type = ownTypeNamed(policy, request.type);
  if (!type.ok) return type;
  const label = labelOf(request.label);
  if (!label.ok) return label;
  const scopes = grantedScopes(type.value, request.scopes);
  if (!scopes.ok) return scopes;
  const known = checkAttributes(type.value, request.attributes);
  const attributes = known.ok ? lacksNothing(type.value, known.value) : known;
  if (!attributes.ok) return attributes;
  const origins = originsOf(request.origins);
  if (!origins.ok) return origins;
  const expiresAt = expiryOf(request.expiresInMs, now);
  if (!expiresAt.ok) return expiresAt;
  return {
    ok: true,
    value: {
      type: type.value,
      label: label.value,
      scopes: scopes.value,
      attributes: attributes.value,
      origins: origins.value,
      expiresAt: expiresAt.value,
      ...(request.canary === true ? { canary: true } : {}),
    },
  };
}

/**
 * Whoever acts by an admin token has power over no admin token that may do what it may not: not to make one, for then it
 * could do that itself, nor to change or end one.
 */
export function grantable<Token extends Pick<TokenRecord, 'type' | 'scopes'>>(
  { holds }: Pick<Desk, 'holds'>,
  token: Token,
): Checked<Token> {
  const lacking = lackingScope(token, holds);
  if (lacking === null) return { ok: true, value: token };
  const message = `your token lacks ${lacking}, and so has no power over an admin token with it`;
  return complain(message, null, 'use one that has it, or the command line', 'forbidden');
}

/** A token that is there, and within the power of whoever acts. @throws StoreFault */
export async function tokenToChange(desk: Desk, id: string): Promise<Checked<TokenRecord>> {
  const record = await desk.tokens.byId(id);
  return record === null ? unknownToken() : grantable(desk, record);
}

/** Unix ms. @param inMs null: never. @param now Unix ms. */
export function expiryOf(inMs: number | null, now: number): Checked<number | null> {
  if (inMs === null) return { ok: true, value: null };
  if (inMs > 0 && now + inMs <= latestMs) return { ok: true, value: now + inMs };
  return complainOf('expires_in', 'a token cannot expire then', null, 'give a time from now, such as 90d');
}

/** @throws StoreFault */
export async function listTokens(
  { tokens, now }: Desk,
  filter: {
    readonly type: string | null;
    readonly limit: number;
    readonly after: string | null;
    /** Only those that were not used for so long, in ms, and are not revoked; null, absent: all. */
    readonly unusedForMs?: number | null;
  },
): Promise<Checked<TokenPage>> {
  const { type, limit, after, unusedForMs = null } = filter;
  const from = goesOn(after, tokenCursor);
  if (!from.ok) return from;
  const page = await tokens.list({
    limit,
    ...(type === null ? {} : { type }),
    ...(after === null ? {} : { after }),
    ...(unusedForMs === null ? {} : { unusedSince: now() - unusedForMs }),
  });
  return { ok: true, value: page };
}

/** @throws StoreFault */
export async function showToken({ tokens }: Desk, id: string): Promise<Checked<TokenRecord>> {
  const record = await tokens.byId(id);
  return record === null ? unknownToken() : { ok: true, value: record };
}

/** A revoked token stays as it is: first time, author and reason. @throws StoreFault */
export async function revokeToken(
  desk: Desk,
  id: string,
  reason: string | null,
): Promise<Checked<TokenRecord>> {
  if (reason !== null) {
    const words = labelOf(reason);
    if (!words.ok) return complainOf('reason', 'not a reason', null, words.complaint.hint);
  }
  const found = await tokenToChange(desk, id);
  if (!found.ok) return found;
  const record = await desk.tokens.revoke(id, desk.by, reason);
  return record === null ? unknownToken() : { ok: true, value: record };
}

/** What was asked for is not repeated: people paste tokens where ids belong. */
export function unknownToken(): Complained {
  const hint = 'find it with token list; an id starts with tok_';
  return complainOf('id', 'no token has this id', null, hint, 'unknown');
}

export type ImportReport = {
  readonly imported: number;
  /** Rows whose digest, hash or external id was there already. */
  readonly skipped: number;
  readonly problems: readonly { readonly line: number; readonly message: string }[];
};

/**
 * Imports one JSON row a line; blank lines are passed over. A bad row is a problem, and the others
 * go in. Problems never repeat what a line holds. Safe to run twice: what is there is skipped.
 *
 * @throws StoreFault; chunks before it are in.
 */
export async function importTokens(desk: Desk, lines: AsyncIterable<string>): Promise<ImportReport> {
  const report = { imported: 0, skipped: 0, problems: [] as { line: number; message: string }[] };
  // No digest from elsewhere ever opens the admin listener.
  const policy = withoutAdminType(desk.policy);
  let chunk: ImportedToken[] = [];
  const flush = async () => {
    const { imported, skipped } = await desk.tokens.import(chunk);
    report.imported += imported;
    report.skipped += skipped;
    chunk = [];
  };
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === '') continue;
    const row = readImportRow(policy, text, desk.by);
    if (row.ok) chunk.push(row.value);
    else report.problems.push({ line, message: `${row.complaint.message}; ${row.complaint.hint}` });
    if (chunk.length === importChunk) await flush();
  }
  if (chunk.length > 0) await flush();
  return report;
}
