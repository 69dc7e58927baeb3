/** "Cannot tell" or "cannot deliver", by code: what the one status table answers with 5xx. */
import { LimiterUncounted } from '../policy/fault.ts';
import { StoreFault, type StoreFaultCode } from '../store/fault.ts';
import { BodiesFull } from './body-buffer.ts';

export type UpstreamFaultCode =
  | 'upstream_unreachable'
  | 'upstream_timeout'
  | 'upstream_protocol_error'
  | 'confirm_unavailable'
  | 'overloaded';

export type FaultCode =
  | StoreFaultCode
  | UpstreamFaultCode
  | 'limiter_unavailable'
  | 'draining'
  | 'internal_error';

/** The upstream gave no answer that may be passed on. */
export class UpstreamFault extends Error {
  readonly code: UpstreamFaultCode;
  /** No connection came about, so not a byte of the request can have been acted on. */
  readonly unsent: boolean;
  /** It answered, and what it says we cannot follow: the url is well, and a caller may have had a part in it. */
  readonly answered: boolean;

  constructor(
    code: UpstreamFaultCode,
    message: string,
    more: { cause?: unknown; unsent?: boolean; answered?: boolean } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = 'UpstreamFault';
    this.code = code;
    this.unsent = more.unsent ?? false;
    this.answered = more.answered ?? false;
  }
}

export type Fault = {
  readonly code: FaultCode;
  readonly reason: string;
  readonly retryAfterMs: number | null;
};

/** Sorts anything thrown; what is not one of our faults is a bug. */
export function faultOf(error: unknown): Fault {
  if (error instanceof StoreFault) {
    return { code: error.code, reason: error.message, retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof LimiterUncounted || error instanceof UpstreamFault || error instanceof BodiesFull) {
    return { code: error.code, reason: error.message, retryAfterMs: null };
  }
  // Only the name: the words of a library may repeat what a caller sent. The stack is in the line of the bug.
  return {
    code: 'internal_error',
    reason: error instanceof Error ? error.name : 'thrown value',
    retryAfterMs: null,
  };
}
