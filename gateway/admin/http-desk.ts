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

export function deskOf(
  { tokens, now }: DeskParts,
  { policy, triggerSigners }: LoadedConfig,
  { by, scopes }: Pick<Operator, 'by' | 'scopes'>,
  manner: Manner,
): Desk {
  const { pins, probes, audit, alerts } = manner === 'dry' ? tokens.dry : tokens;
  return {
    tokens: deskTokens(tokens, manner),
    pins,
    probes,
    audit,
    usage: tokens.usage,
    retirements: tokens.retirements,
    alerts,
    now,
    policy: withAdminType(policy),
    triggerSigners,
    by,
    holds: scopes,
  };
}

function writesOf(tokens: OpenTokens, manner: Manner): TokenWrites {
  if (manner === 'dry') return tokens.dry.tokens;
  const { create, revoke, rotate, regenerate, update, disable, enable, purge } = tokens;
  const plain = { create, revoke, rotate, regenerate, update, disable, enable, purge };
  return manner === 'for_good' ? plain : { ...plain, ...tokens.once.writes(manner) };
}

function deskTokens(tokens: OpenTokens, manner: Manner): DeskTokens {
  return {
    find: (plaintext, types) => tokens.find(plaintext, types),
    byId: (id) => tokens.byId(id),
    byIds: (ids) => tokens.byIds(ids),
    list: (filter) => tokens.list(filter),
    kept: (filter) => tokens.kept(filter),
    import: (rows) => (manner === 'dry' ? tokens.dry.startImport() : tokens.import)(rows),
    ...writesOf(tokens, manner),
  };
}
