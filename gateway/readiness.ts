/** Whether the gate can do its work, and what is wrong where it cannot: what /readyz says. */
import type { Gate } from './gate.ts';
import type { Readiness } from './health.ts';
import type { Reloading } from './reload.ts';

/** A lost Redis is said but does not make us unready: each limit has its own word for that. */
export function readiness({ tokens, limiter, life, site }: Gate, reloading: Reloading): Readiness {
  const store = tokens.health();
  const counter = limiter.health();
  const { redis } = site().config;
  return {
    ready: life.phase === 'serving' && store.ok && (counter.ok || redis?.required !== true),
    config: site().policy.version,
    checks: {
      life: { ok: life.phase === 'serving', reason: life.phase === 'serving' ? null : life.phase },
      store,
      limiter: { ok: counter.ok, reason: counter.reason },
      reload: { ok: reloading.lastProblem() === null, reason: reloading.lastProblem() },
    },
  };
}
