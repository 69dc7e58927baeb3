/** What /readyz says: whether requests should be sent here, and what is wrong, in words for an operator. */
import type { Gate } from './gate.ts';
import type { Readiness } from './health.ts';
import type { Reloading } from './reload.ts';
import type { Site } from './site.ts';

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
      upstreams: upstreamsCheck(site()),
    },
  };
}

/** An upstream that is away is said, and no reason to send callers elsewhere: they would not find it there either. */
function upstreamsCheck({ upstreams }: Site): Readiness['checks'][string] {
  const away = [...upstreams.values()]
    .filter(({ targets }) => !targets.all.some((target) => targets.isIn(target)))
    .map(({ settings }) => settings.name);
  return { ok: away.length === 0, reason: away.length === 0 ? null : `no url answers: ${away.join(', ')}` };
}
