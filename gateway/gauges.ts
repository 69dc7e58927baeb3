/** What the process knows of itself, for whoever scrapes: read when it is asked for, and never by a request. */
import type { Limiter } from '../store/limiter.ts';
import type { OpenTokens } from '../store/tokens.ts';
import type { BodyBudget } from './body-buffer.ts';
import type { Life } from './life.ts';
import type { Gauges } from './metrics.ts';
import type { Site } from './site.ts';

type Process = {
  readonly life: Life;
  readonly tokens: OpenTokens;
  readonly bodies: BodyBudget;
  readonly limiter: () => Limiter;
  readonly site: () => Site;
  readonly configOk: () => boolean;
};

export function gaugesOf({ life, tokens, bodies, limiter, site, configOk }: Process): Gauges {
  return {
    inFlight: () => life.inFlight,
    verifierDepth: () => tokens.verifierDepth(),
    bcrypt: () => ({ compared: tokens.verifierCompleted(), spared: tokens.verifierSpared() }),
    assertions: () => site().signer?.counts() ?? { signed: 0, kept: 0 },
    bodyBytes: () => bodies.held,
    limiterUp: () => limiter().health().ok,
    targets: () =>
      [...site().upstreams.values()].flatMap(({ settings, targets }) =>
        targets.all.map((target) => [settings.name, target.origin, targets.isIn(target)] as const),
      ),
    storeUp: () => tokens.health().reason === null,
    configOk,
  };
}
