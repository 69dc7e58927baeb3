import type { Logger } from 'pino';
import { createAssertionCache } from '../store/assertion-cache.ts';
import type { VerifierOptions } from '../store/bcrypt-verifier.ts';
import { createFailureBudget } from '../store/failure-budget.ts';
import type { Limiter } from '../store/limiter.ts';
import { createMemoryLimiter } from '../store/limiter-memory.ts';
import { createRedisLimiter } from '../store/limiter-redis.ts';
import type { OpenTokens } from '../store/tokens.ts';
import { createAccessLog } from './access-log.ts';
import { answerLeaks } from './admin/operations-leak.ts';
import { serveOperations } from './admin/operations-serve.ts';
import { createRetirer } from './admin/retirer.ts';
import { type Alerting, createAlerting } from './alerting.ts';
import { tellAuditHeads } from './audit-heads.ts';
import { BodyBudget } from './body-buffer.ts';
import type { LoadedConfig } from './config/load.ts';
import { drain } from './drain.ts';
import { faultOf } from './fault.ts';
import type { Gate } from './gate.ts';
import { gaugesOf } from './gauges.ts';
import { createLeakKit, type LeakKit } from './leak-kit.ts';
import { Life } from './life.ts';
import { closeServer, healthListener, listenOn, urlOf } from './listeners.ts';
import { openLog } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { openAdmin } from './open-admin.ts';
import { openStore } from './open-store.ts';
import { type Placement, readConfig } from './read-config.ts';
import { readiness } from './readiness.ts';
import { createRefusalTally, type RefusalTally } from './refusal-tally.ts';
import { reloader } from './reload.ts';
import { createFrontDoor } from './server.ts';
import { createSigner, type Signer } from './signer.ts';
import { createSigningKey } from './signing-key-file.ts';
import { buildSite, type Site, type SiteMakers } from './site.ts';
import { Tail } from './tail.ts';
import { openTracing, type Tracing } from './tracing.ts';
import { openUpstream } from './upstream.ts';
import { createUsageMeter, type UsageMeter } from './usage-meter.ts';
import { Vigil } from './vigil.ts';

export type ServeOptions = Placement & {
  /** Whether to reload by itself when the config file has changed. */
  readonly watch?: boolean;
  /** Where log lines go; default stdout. */
  readonly log?: Logger;
  /** How long a head may take to arrive; default 10 s. */
  readonly headersTimeoutMs?: number;
  /** Threads and queue of the bcrypt verifier, where its defaults do not fit. */
  readonly verifier?: VerifierOptions;
  /** Requests at one upstream at a time; default 1,024. */
  readonly upstreamVisitsMax?: number;
  /** What bodies that are read whole may hold together; default 64 MiB. */
  readonly bodyBudgetBytes?: number;
  /** How often is judged whether there is something to tell; default 20 s. */
  readonly alertEveryMs?: number;
};

export type Running = {
  readonly listen: string;
  readonly health: string;
  /** null: there is no admin listener. */
  readonly admin: string | null;
  /** Where the first admin token is; null: it was not made at this start. */
  readonly bootstrapFile: string | null;
  readonly tokens: OpenTokens;
  readonly config: () => LoadedConfig;
  readonly life: Life;
  readonly bodies: BodyBudget;
  /** Whether the new config is in force; false: the old one stays, and the log says why. */
  readonly reload: () => Promise<boolean>;
  /** Drains and closes everything. */
  readonly stop: () => Promise<void>;
};

/**
 * Starts the gateway and resolves when it listens.
 *
 * @throws ConfigRefused with every problem; DatabaseRefused; a listen error as node gives it.
 */
export async function startGateway(options: ServeOptions): Promise<Running> {
  const log = options.log ?? openLog();
  const config = await readConfig(options);
  const signer = await openSigner(config);
  const tokens = await openTokens(config, options, log);
  const life = new Life();
  const bodies = new BodyBudget(options.bodyBudgetBytes);
  const metrics: Metrics = createMetrics(
    gaugesOf({
      ...{ life, tokens, bodies },
      limiter: () => limiter,
      site: () => site,
      configOk: () => reloading.lastProblem() === null,
    }),
  );
  const limiter = openLimiter(config, log, metrics);
  if (config.redis?.required === true) await untilCounted(limiter);
  const makers = siteMakers(options, log);
  let site = buildSite(config, makers, null, signer);
  const counts = openCounts(tokens, log);
  const { usage } = counts;
  const alerting = openAlerting(() => site.config, { tokens, usage, log, metrics }, options.alertEveryMs);
  const tracing = await openTracing(config.traces, log, metrics.tracesExported);
  const leaks = openLeaks(() => site.config, { tokens, alerting, log });
  const parts = { ...counts, tokens, limiter, bodies, life, log, metrics, alerting, tracing, leaks };
  const gate = openGate(() => site, parts);
  const reloading = reloader({
    read: () => readConfig(options),
    site: () => site,
    makers,
    openSigner,
    swap: (next) => {
      site = next;
    },
    log,
    reloaded: metrics.reloaded,
    now: Date.now,
  });
  const { headersTimeoutMs } = options;
  const front = createFrontDoor(gate, { ...config.listen, headersTimeoutMs });
  const health = healthListener(() => readiness(gate, reloading), metrics);
  await listenOn(front, config.listen);
  await listenOn(health, config.health);
  const admin = await openAdmin(config, tokens, gate, { ...parts, reloading, gateUrl: () => urlOf(front) });
  const endUpkeep = openUpkeep(tokens, gate, log);
  const stop = async (): Promise<void> => {
    await drain({ server: front, life, times: site.config.listen, log });
    gate.vigil.close();
    await Promise.all([usage.close(), leaks.close(), tracing?.close()]);
    await alerting.close();
    await closeServer(health);
    // The last to go: who looks after a drain can do so until it is over.
    await admin.close();
    await endUpkeep();
    await Promise.all([tokens, limiter].map((one) => one.close()));
    await Promise.all([...site.upstreams.values()].map((upstream) => upstream.destroy()));
  };
  return {
    listen: urlOf(front),
    health: urlOf(health),
    admin: admin.url,
    bootstrapFile: admin.bootstrapFile,
    tokens,
    config: () => site.config,
    reload: reloading.reload,
    life,
    bodies,
    stop,
  };
}

function siteMakers({ upstreamVisitsMax: visitsMax }: ServeOptions, log: Logger): SiteMakers {
  return {
    openUpstream: (settings) =>
      openUpstream(settings, {
        visitsMax,
        onChange: (change) => log.warn({ event: change.up ? 'upstream_up' : 'upstream_down', ...change }),
      }),
    createFailures: createFailureBudget,
  };
}

/** What hears of every request and keeps or tells it. */
function openCounts(tokens: OpenTokens, log: Logger): Pick<Parts, 'usage' | 'tail' | 'refusals'> {
  const [tail, refusals] = [new Tail({ now: Date.now }), createRefusalTally(Date.now)];
  return { usage: openUsage(tokens, log), tail, refusals };
}

function openUsage({ usage }: OpenTokens, log: Logger): UsageMeter {
  return createUsageMeter({
    usage,
    now: Date.now,
    onFailure: (error) => log.error({ event: 'usage_not_written', reason: faultOf(error).reason }),
  });
}

function openAlerting(
  config: () => LoadedConfig,
  { tokens, usage, log, metrics }: Pick<Parts, 'tokens' | 'usage' | 'log' | 'metrics'>,
  everyMs: number | undefined,
): Alerting {
  const { alerts, sightings } = tokens;
  const settings = () => config().alerts;
  const flushUsage = usage.flush;
  return createAlerting({ alerts, sightings, settings, flushUsage, now: Date.now, log, metrics, everyMs });
}

/** Leak reports without a signature that an address may send in a minute. */
const strangers = { quota: 20, windowMs: 60_000 };

function openLeaks(
  config: () => LoadedConfig,
  { tokens, alerting, log }: Pick<Parts, 'tokens' | 'alerting' | 'log'>,
): LeakKit {
  const answer = answerLeaks({ ...deskRooms(tokens), tell: alerting.tell });
  const failures = createFailureBudget(strangers);
  const alerts = () => config().alerts;
  return createLeakKit({ alerting, alerts, answer, failures, log, now: Date.now });
}

/** What every operation of this process works with. */
function deskRooms(tokens: OpenTokens) {
  const { pins, probes, audit, usage, retirements, alerts } = tokens;
  return { tokens, pins, probes, audit, usage, retirements, alerts, now: Date.now };
}

type Parts = {
  readonly tokens: OpenTokens;
  readonly limiter: Limiter;
  readonly bodies: BodyBudget;
  readonly life: Life;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly usage: UsageMeter;
  readonly tail: Tail;
  readonly refusals: RefusalTally;
  readonly alerting: Alerting;
  readonly tracing: Tracing | null;
  readonly leaks: LeakKit;
};

function openGate(site: () => Site, parts: Parts): Gate {
  const { tokens, limiter, bodies, life, log, metrics, usage, tail, refusals, alerting, tracing, leaks } =
    parts;
  const writeLog = createAccessLog(log, Date.now);
  const bug = (error: unknown, requestId: string | null): void => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : 'thrown value';
    log.error({ event: 'bug', requestId, stack });
  };
  return {
    site,
    tokens,
    limiter,
    observing: {
      pins: tokens.pins,
      tokens,
      audit: tokens.audit,
      now: Date.now,
      onUnrecorded: (requestId, subjects) => log.error({ event: 'observe_failed', requestId, subjects }),
    },
    pins: tokens.pins,
    operate: serveOperations(deskRooms(tokens)),
    leaks: leaks.door,
    bodies,
    life,
    now: Date.now,
    account: (account, origin, bundle) => {
      metrics.count(account);
      writeLog(account);
      usage.note(account);
      tail.note(account);
      refusals.note(account);
      if (site().config.alerts !== null) alerting.note(account, origin, bundle);
      if (account.canary !== undefined) leaks.used(account);
    },
    upstreamSeconds: metrics.upstreamSeconds,
    tracing,
    vigil: new Vigil({
      tokens,
      policy: () => site().policy,
      now: Date.now,
      bug: (error) => bug(error, null),
    }),
    bug,
  };
}

/** What is done by itself beside requests. @returns how it is ended. */
function openUpkeep(tokens: OpenTokens, { site, now, bug }: Gate, log: Logger): () => Promise<void> {
  const retirer = createRetirer({
    tokens,
    policy: () => site().policy,
    now,
    onRetired: ({ tokenId, successor }) => log.info({ event: 'token_retired', tokenId, successor }),
    bug: (error) => bug(error, null),
  });
  const heads = tellAuditHeads(tokens.audit, log);
  return async () => {
    await retirer.close();
    await heads.close();
  };
}

/** Makes the key where it is missing and may be made. @throws Error in words for an operator. */
async function openSigner({ policy, signingKeys }: LoadedConfig): Promise<Signer | null> {
  const rule = policy.identity.assertion;
  if (rule === null) return null;
  const keys = signingKeys.map((one) => (one.kind === 'read' ? one.key : createSigningKey(one.file)));
  return createSigner({ rule, keys, cache: createAssertionCache(), now: Date.now });
}

/** How long a database server may take to answer at the start: it may be starting beside us. */
const storeStartMs = 5000;

function openTokens(config: LoadedConfig, options: ServeOptions, log: Logger): Promise<OpenTokens> {
  return openStore(config.store, {
    peppers: config.peppers,
    audit: config.audit,
    now: Date.now,
    startWaitMs: storeStartMs,
    onAlert: ({ code, detail }) => log.error({ event: 'store_alert', code, detail }),
    onStateChange: (ok, reason) => {
      if (ok) log.info({ event: 'store_up' });
      else log.error({ event: 'store_down', reason });
    },
    ...(options.verifier === undefined ? {} : { verifier: options.verifier }),
  });
}

/** How long a required Redis may take to answer at the start. */
const redisStartMs = 3000;

function openLimiter(config: LoadedConfig, log: Logger, metrics: Metrics): Limiter {
  if (config.redis === null) return createMemoryLimiter();
  return createRedisLimiter({
    url: config.redis.url,
    instances: config.redis.instances,
    onCall: (_answer, seconds) => metrics.limiterSeconds(seconds),
    onStateChange: (ok, reason) => {
      metrics.limiterChanged(ok);
      if (ok) log.info({ event: 'redis_up' });
      else log.warn({ event: 'redis_down', reason });
    },
  });
}

/** @throws Error, in words for an operator, if Redis has not answered by then. */
async function untilCounted(limiter: Limiter): Promise<void> {
  const untilMs = performance.now() + redisStartMs;
  while (!limiter.health().ok) {
    if (performance.now() > untilMs) {
      await limiter.close();
      throw new Error('redis is required and cannot be reached: start it, or write redis.required: false');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
