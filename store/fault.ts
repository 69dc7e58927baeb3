/** "Cannot tell": a fault of ours, never a verdict about the caller. */

export type StoreFaultCode = 'store_unavailable' | 'verifier_busy';

/**
 * The store could not answer. `code` is stable; `cause` is for the log.
 * Must come out as 503, never as 401 or 403.
 */
export class StoreFault extends Error {
  readonly code: StoreFaultCode;
  /** When trying again may help; null: unknown. */
  readonly retryAfterMs: number | null;

  constructor(
    code: StoreFaultCode,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StoreFault';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** The database gave no answer: it is away, hung or cut off. What it did answer, however badly, is no such thing. */
export class StoreUnreachable extends StoreFault {
  constructor(message: string, cause?: unknown) {
    super('store_unavailable', message, { cause });
    this.name = 'StoreUnreachable';
  }
}
