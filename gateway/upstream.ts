/** A service behind the gate: one undici pool, its timeouts, and how its failures are named. */
import { buildConnector, errors, Pool } from 'undici';
import type { UpstreamSettings } from './config/settings.ts';
import { UpstreamFault } from './fault.ts';
import { Life } from './life.ts';

export type Upstream = {
  readonly settings: UpstreamSettings;
  /** Host field the upstream is called by. */
  readonly host: string;
  readonly pool: Pool;
  /** Requests at this upstream, and how many there may be: one more is `overloaded`, not left waiting. */
  readonly visits: Life;
  readonly visitsMax: number;
};

/** A connection each; enough for any sidecar. */
export const visitsMaxDefault = 1024;

/** Connects nothing yet. Pipelining stays 1: one broken answer must not touch another's (S9). */
export function openUpstream(settings: UpstreamSettings, visitsMax = visitsMaxDefault): Upstream {
  const pool = new Pool(settings.origin, {
    connections: visitsMax,
    pipelining: 1,
    allowH2: false,
    connect: connectorOf(settings),
    headersTimeout: settings.firstByteMs,
    bodyTimeout: settings.idleMs,
    keepAliveTimeout: 4000,
    maxHeaderSize: 64 * 1024,
  });
  return { settings, host: new URL(settings.origin).host, pool, visits: new Life(), visitsMax };
}

/**
 * undici takes a reset for the regular end of an answer that ends with its connection, which would pass a
 * cut body on as a whole one. It looks for the code ECONNRESET, so a reset loses that name before it hears.
 */
function connectorOf({ connectMs }: UpstreamSettings): buildConnector.connector {
  const connect = buildConnector({ timeout: connectMs });
  return (options, done) =>
    connect(options, (...outcome) => {
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
  if (
    error instanceof errors.ConnectTimeoutError ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
  ) {
    return new UpstreamFault('upstream_timeout', error.name, error);
  }
  const code = 'code' in error ? String(error.code) : '';
  const unreachable =
    connectCodes.has(code) || /^(?:ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(code);
  return new UpstreamFault(
    unreachable ? 'upstream_unreachable' : 'upstream_protocol_error',
    code || error.name,
    error,
  );
}
