/** A request's head as it came off the wire, for everything that judges it. Never a body. */
import type { IncomingMessage } from 'node:http';

export type Head = {
  readonly method: string;
  /** Raw request target. */
  readonly target: string;
  /** `0.9`, `1.0`, `1.1`: as the parser read it. */
  readonly httpVersion: string;
  /** Names and values in turn, as sent. Read instead of a header object: `__proto__` is only text here. */
  readonly rawHeaders: readonly string[];
  /** The peer's socket address. */
  readonly peer: string;
};

export function headOf(req: IncomingMessage): Head {
  return {
    method: req.method ?? '',
    target: req.url ?? '',
    httpVersion: req.httpVersion,
    rawHeaders: req.rawHeaders,
    peer: req.socket.remoteAddress ?? '',
  };
}

/** Every value of a field, in order; the name is compared without case. */
export function fieldValues(rawHeaders: readonly string[], lowerName: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name !== undefined && name.length === lowerName.length && name.toLowerCase() === lowerName) {
      values.push(rawHeaders[i + 1] ?? '');
    }
  }
  return values;
}

/** RFC 9110 §10.1.1: whether the caller expects anything but `100-continue`. */
export function expectsMore(rawHeaders: readonly string[]): boolean {
  return fieldValues(rawHeaders, 'expect').some((value) => value.toLowerCase() !== '100-continue');
}

/** How the message says its body is framed. `bytes` null: chunked. */
export type Framing = { readonly hasBody: boolean; readonly bytes: number | null };

const noBody: Framing = { hasBody: false, bytes: 0 };

/** Reads the framing of a head that `readFacts` has already let through. */
export function framingOf(rawHeaders: readonly string[]): Framing {
  const length = fieldValues(rawHeaders, 'content-length')[0];
  if (length !== undefined)
    return length === '0' ? noBody : { hasBody: Number(length) > 0, bytes: Number(length) };
  return fieldValues(rawHeaders, 'transfer-encoding').length > 0 ? { hasBody: true, bytes: null } : noBody;
}
