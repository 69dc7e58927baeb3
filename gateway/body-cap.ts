/** Counts a chunked body as it passes, so that no byte over the cap reaches an upstream. */
import { Transform } from 'node:stream';

/** The caller's fault, met in mid-stream: answered 413 if nothing was sent yet. */
export class BodyTooLarge extends Error {
  constructor(max: number) {
    super(`chunked body grew over ${max} bytes`);
    this.name = 'BodyTooLarge';
  }
}

/** Fails with `BodyTooLarge` instead of passing the chunk that crosses `max`. */
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
