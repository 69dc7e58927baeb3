/** Opens the config's token store beside a gateway that may be running, for one command. */
import { existsSync } from 'node:fs';
import { withAdminType } from '../../policy/admin-type.ts';
import { StoreFault } from '../../store/fault.ts';
import { DatabaseRefused } from '../../store/refused.ts';
import type { LoadedConfig } from '../config/load.ts';
import { openStore } from '../open-store.ts';
import { CommandFailed, exitCodes, type Shell } from './cli-shell.ts';
import type { Desk } from './operations.ts';

/**
 * `read`: changes nothing. `change`: writes to what is there. `create`: makes the database where
 * there is none.
 */
export type Access = 'read' | 'change' | 'create';

/**
 * Hands an open desk to `work` and closes it after. `by` is who acts, for the audit.
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
): Promise<T | null> {
  const { store, peppers, triggerSigners } = config;
  const policy = withAdminType(config.policy);
  const isFile = 'path' in store;
  if (isFile && access !== 'create' && !existsSync(store.path)) return null;
  try {
    const tokens = await openStore(store, { peppers, now: shell.now, readonly: access === 'read' });
    try {
      const { pins, probes, audit, usage } = tokens;
      const { now } = shell;
      const actor = { by, holds: null };
      return await work({ policy, triggerSigners, tokens, pins, probes, audit, usage, now, ...actor });
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

/** In one sentence; what refuses a database says itself what to do. */
function withRemedy(error: DatabaseRefused | StoreFault): string {
  const words = error.message.replace(/\. ([A-Z])/g, (_, letter: string) => `; ${letter.toLowerCase()}`);
  const sentence = words.replace(/\.$/, '');
  return error instanceof DatabaseRefused
    ? sentence
    : `${sentence}; look whether it was done, then try again`;
}
