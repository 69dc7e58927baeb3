/** The process: the only place that opens things. Config → stores → gate → listeners → drain. */
import type { Server } from 'node:http';
import { type Logger, pino } from 'pino';
import { createAssertionCache } from '../store/assertion-cache.ts';
import type { VerifierOptions } from '../store/bcrypt-verifier.ts';
import { createFailureBudget } from '../store/failure-budget.ts';
import type { StoreFault } from '../store/fault.ts';
import type { Limiter } from '../store/limiter.ts';
import { createMemoryLimiter } from '../store/limiter-memory.ts';
import { createRedisLimiter } from '../store/limiter-redis.ts';
import type { OpenTokens } from '../store/tokens.ts';
import { createAccessLog } from './access-log.ts';
import {
  type BootstrapTrouble,
  bootstrapFile,
  bootstrapWatch,
  writeBootstrapToken,
} from './admin/bootstrap.ts';
import { adminServer, closeAdmin } from './admin/http-server.ts';
import { serveOperations } from './admin/operations-serve.ts';
import { BodyBudget } from './body-buffer.ts';
import type { LoadedConfig } from './config/load.ts';
import { drain } from './drain.ts';
import { faultOf } from './fault.ts';
import type { Gate } from './gate.ts';
import { gaugesOf } from './gauges.ts';
import { Life } from './life.ts';
import { closeServer, healthListener, listenOn, urlOf } from './listeners.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { openStore } from './open-store.ts';
import { type Placement, readConfig } from './read-config.ts';
import { readiness } from './readiness.ts';
import { reloader } from './reload.ts';
import { createFrontDoor } from './server.ts';
import { createSigner, type Signer } from './signer.ts';
import { createSigningKey } from './signing-key-file.ts';
import { buildSite, type Site, type SiteMakers } from './site.ts';
import { openTracing, type Tracing } from './tracing.ts';
import { openUpstream } from './upstream.ts';
import { createUsageMeter, type UsageMeter } from './usage-meter.ts';
import { Vigil } from './vigil.ts';
import { stayWarm } from './warm.ts';

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
  stayWarm();
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
  const usage = openUsage(tokens, log);
  const tracing = await openTracing(config.traces, log, metrics.tracesExported);
  const gate = openGate(() => site, { tokens, limiter, bodies, life, log, metrics, usage, tracing });
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
  });
  const front = createFrontDoor(gate, {
    ...config.listen,
    headersTimeoutMs: options.headersTimeoutMs,
  });
  const health = healthListener(() => readiness(gate, reloading), metrics);
  await listenOn(front, config.listen);
  await listenOn(health, config.health);
  const admin = await openAdmin(config, tokens, gate, log);
  const stop = async (): Promise<void> => {
    await drain({ server: front, life, times: site.config.listen, log });
    gate.vigil.close();
    await Promise.all([usage.close(), tracing?.close()]);
    await closeServer(health);
    // The last to go: who looks after a drain can do so until it is over.
    if (admin.server !== null) await closeAdmin(admin.server);
    await Promise.all([tokens.close(), limiter.close()]);
    await Promise.all([...site.upstreams.values()].map((upstream) => upstream.destroy()));
  };
  return {
    listen: urlOf(front),
    health: urlOf(health),
    admin: admin.server === null ? null : urlOf(admin.server),
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

function openUsage({ usage }: OpenTokens, log: Logger): UsageMeter {
  return createUsageMeter({
    usage,
    now: Date.now,
    onFailure: (error) => log.error({ event: 'usage_not_written', reason: faultOf(error).reason }),
  });
}

type Parts = {
  readonly tokens: OpenTokens;
  readonly limiter: Limiter;
  readonly bodies: BodyBudget;
  readonly life: Life;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly usage: UsageMeter;
  readonly tracing: Tracing | null;
};

function openGate(site: () => Site, parts: Parts): Gate {
  const { tokens, limiter, bodies, life, log, metrics, usage, tracing } = parts;
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
    operate: serveOperations({
      tokens,
      pins: tokens.pins,
      probes: tokens.probes,
      audit: tokens.audit,
      usage: tokens.usage,
      now: Date.now,
    }),
    bodies,
    life,
    now: Date.now,
    account: (account) => {
      metrics.count(account);
      writeLog(account);
      usage.note(account);
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

/** Bad admin tokens an address may send in a minute. */
const adminFailures = { quota: 20, windowMs: 60_000 };

type OpenAdmin = {
  /** null: the config has no admin listener. */
  readonly server: Server | null;
  /** Only where it was made at this start. */
  readonly bootstrapFile: string | null;
};

async function openAdmin(
  { admin, store }: LoadedConfig,
  tokens: OpenTokens,
  { site, now, bug }: Gate,
  log: Logger,
): Promise<OpenAdmin> {
  if (admin === null) return { server: null, bootstrapFile: null };
  const file = bootstrapFile(store);
  const warn = (trouble: BootstrapTrouble): void => log.warn(trouble);
  const failures = createFailureBudget(adminFailures);
  const gatekeeper = { tokens, failures, now, onUse: bootstrapWatch(file, warn) };
  const { hosts, mcp } = admin;
  const fault = ({ code, message: reason }: StoreFault, requestId: string): void =>
    log.error({ event: 'admin_store_fault', requestId, code, reason });
  const config = (): LoadedConfig => site().config;
  const server = adminServer({ gatekeeper, tokens, now, config, hosts, mcp, fault, bug });
  await listenOn(server, admin);
  const isNew = file !== null && (await writeBootstrapToken(file, tokens, now(), warn));
  return { server, bootstrapFile: isNew ? file : null };
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

/** What may wait for a reader of the log; lines beyond it are lost rather than kept in memory. */
const logBytesMax = 16 * 1024 * 1024;

/** Lines leave asynchronously: a slow reader of the log must not slow a request. */
export function openLog(): Logger {
  return pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 1, sync: false, minLength: 0, maxLength: logBytesMax }),
  );
}

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
