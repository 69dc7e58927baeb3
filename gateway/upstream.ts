/** A service behind the gate: one undici pool, its timeouts, and how its failures are named. */
import { errors, Pool } from 'undici';
import type { UpstreamSettings } from './config/settings.ts';
import { UpstreamFault } from './fault.ts';

export type Upstream = {
  readonly settings: UpstreamSettings;
  /** Host field the upstream is called by. */
  readonly host: string;
  readonly pool: Pool;
};

/** Enough for any sidecar; a request beyond it waits for a free connection. */
const connectionsMax = 512;

/** Connects nothing yet. Pipelining stays 1: one broken answer must not touch another's (S9). */
export function openUpstream(settings: UpstreamSettings): Upstream {
  const pool = new Pool(settings.origin, {
    connections: connectionsMax,
    pipelining: 1,
    connect: { timeout: settings.connectMs },
    headersTimeout: settings.firstByteMs,
    bodyTimeout: settings.idleMs,
    keepAliveTimeout: 4000,
    maxHeaderSize: 64 * 1024,
  });
  return { settings, host: new URL(settings.origin).host, pool };
}

/** Names what the upstream client reported. */
export function upstreamFault(error: Error): UpstreamFault {
  if (
    error instanceof errors.ConnectTimeoutError ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
  ) {
    return new UpstreamFault('upstream_timeout', error.name, error);
  }
  if (
    error instanceof errors.SocketError ||
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseExceededMaxSizeError
  ) {
    return new UpstreamFault('upstream_protocol_error', error.name, error);
  }
  const code = 'code' in error ? String(error.code) : '';
  const brokeOff = code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_INVALID_CHAR';
  return new UpstreamFault(
    brokeOff ? 'upstream_protocol_error' : 'upstream_unreachable',
    code || error.name,
    error,
  );
}
