/** Reload: the new config whole, or the old one kept and the reason said aloud. Never half of each. */
import type { Logger } from 'pino';
import type { LoadedConfig } from './config/load.ts';
import { formatProblem, type Problem } from './config/problems.ts';
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

/** What became of a config. `before` is the version that was in force, and still is where the new one was refused. */
export type Reloaded = { readonly file: string; readonly before: string } & (
  | { readonly ok: true; readonly version: string; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }
);

export type ReloadManner = {
  /** Only judged: nothing is taken, kept or logged, and nobody is told before. */
  readonly isDry: boolean;
  /** Told before anything changes. Where it rejects, nothing does, but a signing key that was missing is there. */
  readonly note: (outcome: Reloaded) => Promise<void>;
};

export type Reloading = {
  /** true: the new config is in force. false: the old one stays. Never rejects. */
  readonly reload: () => Promise<boolean>;
  /** The same for whoever asks by name, and is told every problem. @throws what `note` rejects with. */
  readonly ask: (manner: ReloadManner) => Promise<Reloaded>;
  /** Why the last reload was refused; null: it was not. */
  readonly lastProblem: () => string | null;
  /** Since when the config in force is so, in Unix ms. */
  readonly since: () => number;
};

/** `reload` by a signal or a watch. */
const unnoted: ReloadManner = { isDry: false, note: async () => {} };

export function reloader(parts: ReloadParts): Reloading {
  let problem: string | null = null;
  let since = parts.now();
  let queue: Promise<unknown> = Promise.resolve();
  const attempt = async ({ isDry, note }: ReloadManner): Promise<Reloaded> => {
    const judged = await judge(parts, isDry);
    const outcome = outcomeOf(judged, parts.site());
    if (isDry) return outcome;
    await note(outcome);
    if (judged.ok) take(parts, judged);
    problem = judged.ok ? null : judged.words;
    parts.reloaded(judged.ok);
    const version = parts.site().policy.version;
    if (problem === null) since = parts.now();
    if (problem === null) parts.log.info({ event: 'config_reloaded', version });
    else parts.log.error({ event: 'config_reload_failed', problem, kept: version });
    return outcome;
  };
  // One after the other: two that ask at once must not swap in the wrong order.
  const ask = (manner: ReloadManner): Promise<Reloaded> => {
    const next = queue.then(() => attempt(manner));
    queue = next.catch(() => {});
    return next;
  };
  return {
    reload: async () => (await ask(unnoted)).ok,
    ask,
    lastProblem: () => problem,
    since: () => since,
  };
}

type Judged =
  | { readonly ok: true; readonly config: LoadedConfig; readonly signer: Signer | null }
  /** `words`: all of it, for a log. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly words: string };

function outcomeOf(judged: Judged, { config, policy }: Site): Reloaded {
  const { file } = config;
  const before = policy.version;
  if (!judged.ok) return { ok: false, file, before, problems: judged.problems };
  const { version } = judged.config.policy;
  return { ok: true, file, before, version, warnings: judged.config.warnings };
}

/** @param isDry no key to sign with is made where it is missing. */
async function judge({ read, site, openSigner }: ReloadParts, isDry: boolean): Promise<Judged> {
  const old = site();
  let config: LoadedConfig;
  try {
    config = await read();
  } catch (error) {
    if (error instanceof ConfigRefused) return refusal(error.problems);
    const words = error instanceof Error ? error.message : 'the config cannot be read';
    return refusal([ofFile(old.config.file, words, 'see that the gateway can read the file')], words);
  }
  const changed = restartNeeded(old.config, config);
  if (changed.length > 0) {
    const problems = changed.map((key) => restartProblem(config, key));
    return refusal(problems, `restart needed: ${changed.join(', ')}`);
  }
  try {
    return { ok: true, config, signer: isDry ? null : await openSigner(config) };
  } catch (error) {
    const words = error instanceof Error ? error.message : 'the signing key cannot be used';
    return refusal([ofFile(config.file, words, 'see identity.assertion.key of the config')], words);
  }
}

function refusal(problems: readonly Problem[], words = problems.map(formatProblem).join('\n')): Judged {
  return { ok: false, problems, words };
}

function ofFile(file: string, message: string, hint: string): Problem {
  return { file, path: '', line: 1, column: 1, message, hint };
}

function restartProblem({ problemAt }: LoadedConfig, key: string): Problem {
  const path = key === 'traces' ? ['telemetry', key] : key.split('.');
  const message = 'restart needed: it differs from what the gateway started with';
  return problemAt({ path, at: 'key', message, hint: 'restart the gateway, or put back what was there' });
}

function take({ site, makers, swap }: ReloadParts, { config, signer }: Judged & { readonly ok: true }): void {
  const old = site();
  const next = buildSite(config, makers, old, signer);
  swap(next);
  void retireSite(old, next);
}
