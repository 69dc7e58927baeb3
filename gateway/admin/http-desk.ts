/** The desk of one request: for good, on trial, or once under a key. */
import { withAdminType } from '../../policy/admin-type.ts';
import type { OnceKey } from '../../store/once.ts';
import type { TokenWrites } from '../../store/token-writing.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Operator } from './http-auth.ts';
import type { Desk, DeskTokens } from './operations.ts';

export type DeskParts = {
  readonly tokens: OpenTokens;
  /** Unix ms. */
  readonly now: () => number;
};

/** `dry`: nothing is left behind; a key: what is made is made once under it. */
export type Manner = 'for_good' | 'dry' | OnceKey;

/** Who acts is in the audit by the id of its token. */
export function deskOf(
  { tokens, now }: DeskParts,
  { policy, triggerSigners }: LoadedConfig,
  { record, scopes }: Operator,
  manner: Manner,
): Desk {
  const { pins, probes, alerts } = manner === 'dry' ? tokens.dry : tokens;
  return {
    tokens: deskTokens(tokens, writesOf(tokens, manner)),
    pins,
    probes,
    audit: tokens.audit,
    usage: tokens.usage,
    alerts,
    now,
    policy: withAdminType(policy),
    triggerSigners,
    by: `token:${record.id}`,
    holds: scopes,
  };
}

function writesOf(tokens: OpenTokens, manner: Manner): TokenWrites {
  if (manner === 'dry') return tokens.dry.tokens;
  const { create, revoke, rotate, regenerate, update, disable, enable } = tokens;
  const plain = { create, revoke, rotate, regenerate, update, disable, enable };
  return manner === 'for_good' ? plain : { ...plain, ...tokens.once.writes(manner) };
}

function deskTokens(tokens: OpenTokens, writes: TokenWrites): DeskTokens {
  return {
    find: (plaintext, types) => tokens.find(plaintext, types),
    byId: (id) => tokens.byId(id),
    list: (filter) => tokens.list(filter),
    import: (rows) => tokens.import(rows),
    ...writes,
  };
}
