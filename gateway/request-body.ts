/** The request body on its way, and the ways in which the caller can spoil it. */
import { Transform } from 'node:stream';

/** The caller's fault, met in mid-stream: answered 413 if nothing was sent yet. */
export class BodyTooLarge extends Error {
  readonly code = 'body_too_large';

  constructor(max: number) {
    super(`chunked body grew over ${max} bytes`);
    this.name = 'BodyTooLarge';
  }
}

/** The caller's fault as well: it stopped sending, or reading. Answered 408 if nothing was sent yet. */
export class RequestStalled extends Error {
  readonly code = 'request_timeout';

  constructor() {
    super('the caller stood still for too long');
    this.name = 'RequestStalled';
  }
}

/** The caller's fault too: it went on speaking before its handshake was answered. */
export class EarlyBytes extends Error {
  readonly code = 'request_malformed';

  constructor() {
    super('bytes behind a handshake that was not answered yet');
    this.name = 'EarlyBytes';
  }
}

/**
 * A stream to pipe a body of unknown length through; fails with `BodyTooLarge` instead of passing the chunk
 * that crosses `max` bytes.
 */
export function cappedBody(max: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > max) done(new BodyTooLarge(max));
      else done(null, chunk);
    },
  });
}
