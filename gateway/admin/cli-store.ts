/** Opens the config's token store beside a gateway that may be running, for one command. */
import { existsSync } from 'node:fs';
import { StoreFault } from '../../store/fault.ts';
import type { LoadedConfig } from '../config/load.ts';
import { CommandFailed, exitCodes, type Shell } from './cli-shell.ts';
import type { Desk } from './operations.ts';

/**
 * `read`: changes nothing. `change`: writes to what is there. `create`: makes the database where
 * there is none.
 */
export type Access = 'read' | 'change' | 'create';

/**
 * Hands an open desk to `work` and closes it after.
 *
 * @returns null where there is no database yet, and `access` does not make one.
 * @throws CommandFailed `refused` where the database cannot be used.
 */
export async function atDesk<T>(
  config: LoadedConfig,
  access: Access,
  shell: Shell,
  work: (desk: Desk) => T | Promise<T>,
): Promise<T | null> {
  const { path } = config.store;
  const { peppers } = config;
  if (access !== 'create' && !existsSync(path)) return null;
  // Loaded here: commands that need no store need not wait for its drivers.
  const { DatabaseRefused } = await import('../../store/database.ts');
  const { openSqliteTokens } = await import('../../store/tokens-sqlite.ts');
  try {
    const tokens = await openSqliteTokens({ path, peppers, now: shell.now, readonly: access === 'read' });
    try {
      const { pins, audit } = tokens;
      return await work({ policy: config.policy, tokens, pins, audit, now: shell.now, by: 'cli' });
    } finally {
      await tokens.close();
    }
  } catch (error) {
    if (error instanceof DatabaseRefused || error instanceof StoreFault) {
      throw new CommandFailed(exitCodes.refused, error.message);
    }
    throw error;
  }
}
