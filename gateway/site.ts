/** What one config makes of the process: replaced whole on reload, never edited. */
import type { Policy } from '../policy/types.ts';
import type { LoadedConfig } from './config/load.ts';
import { changedPeppers } from './config/peppers.ts';
import type { UpstreamSettings } from './config/settings.ts';
import { HeaderRules } from './headers.ts';
import { Life } from './life.ts';
import type { Signer } from './signer.ts';
import type { Upstream } from './upstream.ts';
import type { Rooms } from './walk.ts';

export type Site = {
  readonly config: LoadedConfig;
  readonly policy: Policy;
  readonly rules: HeaderRules;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly failures: Rooms['failures'];
  /** null: the config asks for no assertion. */
  readonly signer: Signer | null;
  /** Exchanges that are judged and delivered by this site. */
  readonly visits: Life;
};

/** What main lends to build one. */
export type SiteMakers = {
  readonly openUpstream: (settings: UpstreamSettings) => Upstream;
  readonly createFailures: (budget: { quota: number; windowMs: number }) => Rooms['failures'];
};

/** Keeps whatever did not change: warm connections, and what the failure budget has counted. */
export function buildSite(
  config: LoadedConfig,
  makers: SiteMakers,
  before: Site | null,
  signer: Signer | null = null,
): Site {
  const { policy } = config;
  const upstreams = new Map<string, Upstream>();
  for (const [name, settings] of config.upstreams) {
    const old = before?.upstreams.get(name);
    upstreams.set(
      name,
      old !== undefined && same(old.settings, settings) ? old : makers.openUpstream(settings),
    );
  }
  const budget = policy.failureBudget;
  const kept = before !== null && same(before.policy.failureBudget, budget);
  const failures = kept ? before.failures : budget === null ? null : makers.createFailures(budget);
  return {
    config,
    policy,
    rules: new HeaderRules(policy.identity),
    upstreams,
    failures,
    signer,
    visits: new Life(),
  };
}

/**
 * Lets go of what the new site does not use, once nobody is judged by the old one any more, and nobody is at
 * the upstream: one that outlived an earlier reload may still carry a stream of the site before. Never rejects.
 */
export async function retireSite(old: Site, next: Site): Promise<void> {
  await old.visits.whenIdle();
  for (const [name, upstream] of old.upstreams) {
    if (next.upstreams.get(name) === upstream) continue;
    void upstream.visits.whenIdle().then(() => upstream.close());
  }
}

/** Keys whose change needs a restart. */
export function restartNeeded(old: LoadedConfig, next: LoadedConfig): readonly string[] {
  const keys = ['listen', 'health', 'admin', 'store', 'audit', 'redis', 'traces'] as const;
  return [...keys.filter((key) => !same(old[key], next[key])), ...changedPeppers(old.peppers, next.peppers)];
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
