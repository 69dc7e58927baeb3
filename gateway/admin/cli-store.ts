/** Opens the config's token store beside a gateway that may be running, for one command. */
import { existsSync } from 'node:fs';
import { withAdminType } from '../../policy/admin-type.ts';
import { StoreFault } from '../../store/fault.ts';
import { DatabaseRefused } from '../../store/refused.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import type { LoadedConfig } from '../config/load.ts';
import { openStore } from '../open-store.ts';
import { CommandFailed, exitCodes, type Shell } from './cli-shell.ts';
import type { Desk, DeskTokens } from './operations.ts';

/**
 * `read`: changes nothing. `change`: writes to what is there. `create`: makes the database where
 * there is none.
 */
export type Access = 'read' | 'change' | 'create';

/**
 * Hands an open desk to `work` and closes it after. `by` is who acts, for the audit. Dry, changes are told and undone.
 *
 * @returns null where there is no database yet, and `access` does not make one.
 * @throws CommandFailed `refused` where the database cannot be used.
 */
export async function atDesk<T>(
  config: LoadedConfig,
  access: Access,
  shell: Shell,
  work: (desk: Desk) => T | Promise<T>,
  by = 'cli',
  isDry = false,
): Promise<T | null> {
  const { store, audit: sealing, peppers, triggerSigners } = config;
  const policy = withAdminType(config.policy);
  const isFile = 'path' in store;
  if (isFile && access !== 'create' && !existsSync(store.path)) return null;
  try {
    const { now } = shell;
    const readonly = access === 'read';
    const tokens = await openStore(store, { peppers, audit: sealing, now, readonly });
    try {
      const { usage, retirements } = tokens;
      const { pins, probes, audit, alerts } = isDry ? tokens.dry : tokens;
      const actor = { by, holds: null };
      const kept = { pins, probes, audit, usage, retirements, alerts };
      const desk = { policy, triggerSigners, ...kept, now, ...actor };
      return await work({ ...desk, tokens: isDry ? dryTokens(tokens) : tokens });
    } finally {
      await tokens.close();
    }
  } catch (error) {
    // A server is there before its tables are.
    if (!isFile && error instanceof DatabaseRefused && error.code === 'missing') return null;
    if (error instanceof DatabaseRefused || error instanceof StoreFault) {
      throw new CommandFailed(exitCodes.refused, withRemedy(error));
    }
    throw error;
  }
}

function dryTokens(tokens: OpenTokens): DeskTokens {
  return {
    find: (plaintext, types) => tokens.find(plaintext, types),
    byId: (id) => tokens.byId(id),
    byIds: (ids) => tokens.byIds(ids),
    list: (filter) => tokens.list(filter),
    kept: (filter) => tokens.kept(filter),
    import: tokens.dry.startImport(),
    ...tokens.dry.tokens,
  };
}

/** In one sentence; what refuses a database says itself what to do. */
function withRemedy(error: DatabaseRefused | StoreFault): string {
  const words = error.message.replace(/\. ([A-Z])/g, (_, letter: string) => `; ${letter.toLowerCase()}`);
  const sentence = words.replace(/\.$/, '');
  return error instanceof DatabaseRefused
    ? sentence
    : `${sentence}; look whether it was done, then try again`;
}
