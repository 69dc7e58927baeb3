/** A service behind the gate: the clients of each of its urls, its timeouts, and how its failures are named. */
import { buildConnector, errors, Pool } from 'undici';
import type { UpstreamSettings } from './config/settings.ts';
import { UpstreamFault } from './fault.ts';
import { Life } from './life.ts';
import { Places } from './places.ts';
import { StrictClient } from './strict-client.ts';
import { Target, type TargetChange, Targets } from './targets.ts';
import { watchHealth } from './upstream-health.ts';

export type Upstream = {
  readonly settings: UpstreamSettings;
  readonly targets: Targets;
  readonly places: Places;
  /** The configs that somebody is judged by and that have it. */
  readonly sites: Life;
  /** Ends its health checks and, once nothing is under way, its connections. Never rejects. */
  readonly close: () => Promise<void>;
  /** Ends everything now. Never rejects. */
  readonly destroy: () => Promise<void>;
};

export type UpstreamOptions = {
  readonly visitsMax?: number | undefined;
  /** A url was left out, or came back. */
  readonly onChange?: (change: TargetChange & { readonly upstream: string }) => void;
};

/** A connection each; enough for any sidecar. */
export const visitsMaxDefault = 1024;

/** Connects nothing yet, but for health checks. */
export function openUpstream(settings: UpstreamSettings, options: UpstreamOptions = {}): Upstream {
  const visitsMax = options.visitsMax ?? visitsMaxDefault;
  const targets = new Targets(
    settings.urls.map(
      ({ origin, basePath }) =>
        new Target(origin, basePath, poolOf(origin, settings, visitsMax), strictOf(origin, settings)),
    ),
    () => performance.now(),
    (change) => options.onChange?.({ upstream: settings.name, ...change }),
  );
  const stopChecks = settings.health === null ? () => {} : watchHealth(targets, settings.health);
  const end = async (how: 'close' | 'destroy'): Promise<void> => {
    stopChecks();
    await Promise.allSettled(targets.all.flatMap(({ pool, strict }) => [pool[how](), strict?.[how]()]));
  };
  return {
    settings,
    targets,
    places: new Places(visitsMax),
    sites: new Life(),
    close: () => end('close'),
    destroy: () => end('destroy'),
  };
}

/** Speaks no TLS. */
function strictOf(origin: string, settings: UpstreamSettings): StrictClient | null {
  return settings.client === 'strict' && origin.startsWith('http:')
    ? new StrictClient(origin, settings)
    : null;
}

/** Pipelining stays 1: one broken answer must not touch another's (S9). */
function poolOf(origin: string, settings: UpstreamSettings, connections: number): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    connect: connectorOf(settings),
    headersTimeout: settings.firstByteMs,
    bodyTimeout: settings.idleMs,
    keepAliveTimeout: 4000,
    maxHeaderSize: 64 * 1024,
  });
}

/**
 * A certificate has to be for the host of the url, whatever Host a request has.
 *
 * undici takes a reset for the regular end of an answer that ends with its connection, which would pass a
 * cut body on as a whole one. It looks for the code ECONNRESET, so a reset loses that name before it hears.
 */
function connectorOf({ connectMs }: UpstreamSettings): buildConnector.connector {
  const connect = buildConnector({ timeout: connectMs });
  return (options, done) =>
    connect({ ...options, servername: '' }, (...outcome) => {
      outcome[1]?.prependListener('error', (error: Error & { code?: string }) => {
        if (error.code === 'ECONNRESET') error.code = connectionReset;
      });
      done(...outcome);
    });
}

const connectionReset = 'UPSTREAM_RESET';

/** No connection came about. Everything else that goes wrong is an answer we cannot pass on. */
const connectCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'EACCES',
  'EMFILE',
]);

/** Names what the upstream client reported. */
export function upstreamFault(error: Error): UpstreamFault {
  if (error instanceof UpstreamFault) return error;
  if (error instanceof errors.ConnectTimeoutError) {
    return new UpstreamFault('upstream_timeout', error.name, { cause: error, unsent: true });
  }
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    return new UpstreamFault('upstream_timeout', error.name, { cause: error });
  }
  const code = 'code' in error ? String(error.code) : '';
  const unreachable =
    connectCodes.has(code) || /^(?:ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(code);
  // A network that goes away under a connection has the same codes; then the request may have arrived.
  const wasConnected = 'syscall' in error && (error.syscall === 'read' || error.syscall === 'write');
  return new UpstreamFault(
    unreachable ? 'upstream_unreachable' : 'upstream_protocol_error',
    code || error.name,
    { cause: error, unsent: unreachable && !wasConnected },
  );
}
