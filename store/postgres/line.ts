/**
 * Work that anybody may ask for and that takes long stands in a line of its own: it must not take all connections of
 * a pool, where what every request needs, or a revoke, would wait behind it and look as if the server were away.
 */
import { createBatch } from '../batch.ts';
import { StoreFault } from '../fault.ts';

export type LineOptions = {
  readonly inFlightMax: number;
  readonly waitingMax: number;
  /** Work that has waited longer is not begun. */
  readonly waitMs: number;
};

/** @throws StoreFault, of the work alone, where the line is too long; what the work throws. */
export type Line = <T>(work: () => Promise<T>) => Promise<T>;

type Job = { readonly run: () => Promise<void>; readonly refuse: () => void; readonly untilMs: number };

export function createLine({ inFlightMax, waitingMax, waitMs }: LineOptions): Line {
  let inside = 0;
  const batch = createBatch<Job>({
    open: () => true,
    inFlightMax,
    jobsMax: 1,
    async send([job]) {
      if (job !== undefined && performance.now() <= job.untilMs) await job.run();
      else job?.refuse();
    },
  });
  return async (work) => {
    if (inside >= inFlightMax + waitingMax) throw tooLong();
    inside++;
    try {
      return await new Promise((resolve, reject) =>
        batch.add({
          run: () => work().then(resolve, reject),
          refuse: () => reject(tooLong()),
          untilMs: performance.now() + waitMs,
        }),
      );
    } finally {
      inside--;
    }
  };
}

function tooLong(): StoreFault {
  return new StoreFault('store_unavailable', 'too much of this kind is asked of PostgreSQL at once');
}
