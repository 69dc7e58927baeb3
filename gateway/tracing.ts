/** The traces of requests, as far as a request goes past them. What measures and exports is loaded where the config asks for it. */
import type { Logger } from 'pino';
import type { Account } from './access-log.ts';
import type { TraceSettings } from './config/telemetry-settings.ts';
import type { Visit } from './gate.ts';
import type { Delivered } from './relay.ts';
import type { Target } from './targets.ts';

export type Tracing = {
  /** null: this request is not traced. */
  readonly begin: (visit: Visit) => RequestTrace | null;
  /** Sends what is left, within two seconds or not at all. Never rejects. */
  readonly close: () => Promise<void>;
};

export type RequestTrace = {
  /** A request that we send to one url of an upstream. */
  readonly call: (upstream: string, target: Target) => CallTrace;
  readonly end: (account: Account) => void;
};

export type CallTrace = {
  /** Puts into the request's headers, names and values in turn, which trace it is part of. */
  readonly stamp: (headers: string[]) => void;
  /** How it ended; `code` null: it was answered, to the end. */
  readonly end: (status: number | null, code: string | null) => void;
};

export type ExportReport = (ok: boolean, spans: number) => void;

/** @param report hears of each batch, for metrics. */
export async function openTracing(
  traces: TraceSettings | null,
  log: Logger,
  report: ExportReport,
): Promise<Tracing | null> {
  if (traces === null) return null;
  const { createTracing } = await import('./trace-export.ts');
  return createTracing(traces, log, report);
}

/** The same delivery, whose end is the end of the call. */
export function tracedDelivery(delivering: Promise<Delivered>, call: CallTrace): Promise<Delivered> {
  return delivering.then(
    (delivered) => {
      call.end(delivered.status === 0 ? null : delivered.status, delivered.aborted ? 'aborted' : null);
      return delivered;
    },
    (error: unknown) => {
      call.end(null, codeOf(error));
      throw error;
    },
  );
}

/** Ours only: the words of others may repeat what a caller sent. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' && /^[a-z_]+$/.test(code) ? code : 'internal_error';
}
