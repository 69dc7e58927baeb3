/**
 * Reads reports of leaks. Who has signed one is known when all of it is there: until then it is held for a stranger, so never
 * in the room of requests' bodies, not for long, and not many for one address.
 */
import type { Outcome } from '../policy/types.ts';
import { BodiesFull, BodyBudget, BodyBuffer } from './body-buffer.ts';
import { UpstreamFault } from './fault.ts';
import type { Visit } from './gate.ts';

/** @param brokeOff told of a report that did not come to its end: whoever can sign one sends all of it. */
export type ReadReport = (visit: Visit, address: string, brokeOff: () => void) => Promise<Outcome<Buffer>>;

/** For all of a report. */
const readMs = 10_000;
/** So many of the longest together. */
const heldMax = 32;
/** From one address. */
const atOnce = 8;

/** Its reader throws UpstreamFault where an address sends too many at once; BodiesFull; CallerLeft. */
export function createReportReader(bytesMax: number): ReadReport {
  const bodies = new BodyBudget(heldMax * bytesMax);
  const readings = new Map<string, number>();
  return async (visit, address, brokeOff) => {
    const others = readings.get(address) ?? 0;
    if (others >= atOnce) {
      throw new UpstreamFault('overloaded', `${atOnce} leak reports of this address are being read`);
    }
    readings.set(address, others + 1);
    const held = new BodyBuffer(bodies);
    try {
      const read = await held.read(visit, bytesMax, readMs, true);
      if (!read.ok) {
        brokeOff();
        return read;
      }
      const { buffer, byteOffset, byteLength } = read.value;
      return { ok: true, value: Buffer.from(buffer, byteOffset, byteLength) };
    } catch (error) {
      if (!(error instanceof BodiesFull)) brokeOff();
      throw error;
    } finally {
      held.release();
      const left = (readings.get(address) ?? 1) - 1;
      if (left === 0) readings.delete(address);
      else readings.set(address, left);
    }
  };
}
