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
    const upstream = old !== undefined && same(old.settings, settings) ? old : makers.openUpstream(settings);
    upstream.sites.begin();
    upstreams.set(name, upstream);
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
 * Lets go of what a site that was replaced had, once nobody is judged by it any more: an upstream is closed with the last site that
 * has it, for what began before any of several reloads may still be on its way there. Never rejects.
 */
export async function retireSite({ visits, upstreams }: Site): Promise<void> {
  await visits.whenIdle();
  for (const upstream of upstreams.values()) {
    upstream.sites.end();
    if (upstream.sites.inFlight === 0) void upstream.close();
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
