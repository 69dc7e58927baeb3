/** The trace a request says it is part of (W3C Trace Context, level 1), and what an upstream is told of ours. */
import { fieldValues } from './head.ts';

export type TraceContext = {
  /** 32 hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16, of whoever sent the request. */
  readonly spanId: string;
  readonly sampled: boolean;
};

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** null: there is none, more than one, or one that says nothing (§3.2). */
export function readTraceContext(rawHeaders: readonly string[]): TraceContext | null {
  const [field, second] = fieldValues(rawHeaders, 'traceparent');
  if (field === undefined || second !== undefined) return null;
  const [, version, traceId = '', spanId = '', flags = '', more] = form.exec(field) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Says of ours in place of the caller's; `isNew`: what the caller's own trace state says is of another trace (§3.4). */
export function stampTraceContext(
  headers: string[],
  { traceId, spanId }: Omit<TraceContext, 'sampled'>,
  isNew: boolean,
): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const name = headers[i]?.toLowerCase();
    if (name === 'traceparent' || (isNew && name === 'tracestate')) headers.splice(i, 2);
  }
  headers.push('traceparent', `00-${traceId}-${spanId}-01`);
}
