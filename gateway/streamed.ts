/**
 * Keeps memory flat while bodies stream. V8 does not count a body's buffers towards a collection of young
 * objects and lets about 64 MiB of dead ones pile up; asked every few MiB, that collection costs less than 1 ms.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { type: 'minor' }) => void;

const betweenCollectionsBytes = 16 * 1024 * 1024;

function exposeCollector(): Collect {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof collect === 'function' ? (options) => collect(options) : () => {};
}

const collect = exposeCollector();
let bytesSince = 0;

/** Counts bytes of bodies, of all requests together. */
export function noteStreamed(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < betweenCollectionsBytes) return;
  bytesSince = 0;
  collect({ type: 'minor' });
}
