/** Reload: the new config whole, or the old one kept and the reason said aloud. Never half of each. */
import type { Logger } from 'pino';
import type { LoadedConfig } from './config/load.ts';
import { formatProblem } from './config/problems.ts';
import { ConfigRefused } from './read-config.ts';
import type { Signer } from './signer.ts';
import { buildSite, restartNeeded, retireSite, type Site, type SiteMakers } from './site.ts';

export type ReloadParts = {
  readonly read: () => Promise<LoadedConfig>;
  readonly site: () => Site;
  readonly makers: SiteMakers;
  /** Anew for each config: what an older one signed is never handed out by a newer. */
  readonly openSigner: (config: LoadedConfig) => Promise<Signer | null>;
  readonly swap: (next: Site) => void;
  readonly log: Logger;
  readonly reloaded: (ok: boolean) => void;
  /** Unix ms. */
  readonly now: () => number;
};

export type Reloading = {
  /** true: the new config is in force. false: the old one stays. Never rejects. */
  readonly reload: () => Promise<boolean>;
  /** Why the last reload was refused; null: it was not. */
  readonly lastProblem: () => string | null;
  /** Since when the config in force is so, in Unix ms. */
  readonly since: () => number;
};

export function reloader(parts: ReloadParts): Reloading {
  let problem: string | null = null;
  let since = parts.now();
  let queue: Promise<unknown> = Promise.resolve();
  const attempt = async (): Promise<boolean> => {
    problem = await tryReload(parts);
    parts.reloaded(problem === null);
    const version = parts.site().policy.version;
    if (problem === null) since = parts.now();
    if (problem === null) parts.log.info({ event: 'config_reloaded', version });
    else parts.log.error({ event: 'config_reload_failed', problem, kept: version });
    return problem === null;
  };
  return {
    // One after the other: two signals in a row must not swap in the wrong order.
    reload: () => {
      const next = queue.then(attempt);
      queue = next;
      return next;
    },
    lastProblem: () => problem,
    since: () => since,
  };
}

/** null: done; otherwise why not. */
async function tryReload({ read, site, makers, openSigner, swap }: ReloadParts): Promise<string | null> {
  let config: LoadedConfig;
  try {
    config = await read();
  } catch (error) {
    if (error instanceof ConfigRefused) return error.problems.map(formatProblem).join('\n');
    return error instanceof Error ? error.message : 'the config cannot be read';
  }
  const old = site();
  const changed = restartNeeded(old.config, config);
  if (changed.length > 0) return `restart needed: ${changed.join(', ')}`;
  let signer: Signer | null;
  try {
    signer = await openSigner(config);
  } catch (error) {
    return error instanceof Error ? error.message : 'the signing key cannot be used';
  }
  const next = buildSite(config, makers, old, signer);
  swap(next);
  void retireSite(old, next);
  return null;
}
