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

type Common = {
  readonly file: string;
  /** The version that was in force, and still is where another was not taken. */
  readonly before: string;
};

export type Taken = Common & {
  readonly kind: 'taken';
  readonly version: string;
  /** Of the file's text, in hex; `version` is how it begins. */
  readonly sha256: string;
  readonly warnings: readonly Problem[];
};

export type NotTaken = Common & { readonly kind: 'refused'; readonly problems: readonly Problem[] };

/** What became of a config. `changed`: the file is not the one that was asked for, and nothing was done. */
export type Reloaded = Taken | NotTaken | (Common & { readonly kind: 'changed' });

export type ReloadManner = {
  /** Only judged: nothing is taken, kept or logged, and nobody is told before. */
  readonly isDry: boolean;
  /**
   * How the SHA-256 of the file's text must begin, in hex, for it to be taken; null: whatever it is. One that is refused is refused, whichever
   * was asked for.
   */
  readonly ifVersion: string | null;
  /**
   * Told before anything changes. Where it rejects, nothing does. A signing key that was missing is there then, for whether it can be made
   * decides what is told; but nothing is signed with it, nor is it published, before a config that names it is taken.
   */
  readonly note: (outcome: Taken | NotTaken) => Promise<void>;
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
const unnoted: ReloadManner = { isDry: false, ifVersion: null, note: async () => {} };

export function reloader(parts: ReloadParts): Reloading {
  let problem: string | null = null;
  let since = parts.now();
  let queue: Promise<unknown> = Promise.resolve();
  const attempt = async (manner: ReloadManner): Promise<Reloaded> => {
    const judged = await judge(parts, manner);
    const { config, policy } = parts.site();
    const common = { file: config.file, before: policy.version };
    if (judged.kind === 'changed') return { kind: 'changed', ...common };
    const outcome = { ...common, ...outcomeOf(judged) };
    if (manner.isDry) return outcome;
    await manner.note(outcome);
    if (judged.kind === 'good') take(parts, judged);
    problem = judged.kind === 'good' ? null : judged.words;
    parts.reloaded(problem === null);
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
    reload: async () => (await ask(unnoted)).kind === 'taken',
    ask,
    lastProblem: () => problem,
    since: () => since,
  };
}

type Good = { readonly kind: 'good'; readonly config: LoadedConfig; readonly signer: Signer | null };
/** `words`: all of it, for a log. */
type Bad = { readonly kind: 'refused'; readonly problems: readonly Problem[]; readonly words: string };
type Judged = Good | Bad | { readonly kind: 'changed' };

function outcomeOf(judged: Good | Bad) {
  if (judged.kind === 'refused') return { kind: 'refused', problems: judged.problems } as const;
  const { policy, sha256, warnings } = judged.config;
  return { kind: 'taken', version: policy.version, sha256, warnings } as const;
}

/** A key to sign with that is missing is made, but not on a dry run, nor for another config than was asked for. */
async function judge({ read, site, openSigner }: ReloadParts, manner: ReloadManner): Promise<Judged> {
  const { isDry, ifVersion } = manner;
  const old = site();
  let config: LoadedConfig;
  try {
    config = await read();
  } catch (error) {
    if (error instanceof ConfigRefused) return refusal(error.problems);
    const words = error instanceof Error ? error.message : 'the config cannot be read';
    return refusal([ofFile(old.config.file, words, 'see that the gateway can read the file')], words);
  }
  if (ifVersion !== null && !config.sha256.startsWith(ifVersion)) return { kind: 'changed' };
  const changed = restartNeeded(old.config, config);
  if (changed.length > 0) {
    const problems = changed.map((key) => restartProblem(config, key));
    return refusal(problems, `restart needed: ${changed.join(', ')}`);
  }
  try {
    return { kind: 'good', config, signer: isDry ? null : await openSigner(config) };
  } catch (error) {
    const words = error instanceof Error ? error.message : 'the signing key cannot be used';
    return refusal([ofFile(config.file, words, 'see identity.assertion.key of the config')], words);
  }
}

function refusal(problems: readonly Problem[], words = problems.map(formatProblem).join('\n')): Bad {
  return { kind: 'refused', problems, words };
}

function ofFile(file: string, message: string, hint: string): Problem {
  return { file, path: '', line: 1, column: 1, message, hint };
}

function restartProblem({ problemAt }: LoadedConfig, key: string): Problem {
  const path = key === 'traces' ? ['telemetry', key] : key.split('.');
  const message = 'restart needed: it differs from what the gateway started with';
  return problemAt({ path, at: 'key', message, hint: 'restart the gateway, or put back what was there' });
}

function take({ site, makers, swap }: ReloadParts, { config, signer }: Good): void {
  const old = site();
  const next = buildSite(config, makers, old, signer);
  swap(next);
  void retireSite(old);
}
