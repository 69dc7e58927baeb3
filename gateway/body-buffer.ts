/** Bodies that are read whole before any of it goes on: held in memory, under one budget for the process. */
import { bufferBytesMax } from '../policy/body.ts';
import { denied } from '../policy/denial.ts';
import type { Denial, Outcome } from '../policy/types.ts';
import { isGone } from './connection.ts';
import type { Visit } from './gate.ts';
import { framingOf } from './head.ts';
import { noteStreamed } from './streamed.ts';

/** What all bodies together may hold. */
export class BodyBudget {
  readonly bytesMax: number;
  #held = 0;

  constructor(bytesMax = bufferBytesMax) {
    this.bytesMax = bytesMax;
  }

  /** Bytes that are held now. */
  get held(): number {
    return this.#held;
  }

  take(bytes: number): boolean {
    if (this.#held + bytes > this.bytesMax) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

/** Other bodies hold all there is: ours to say, so 503. */
export class BodiesFull extends Error {
  readonly code = 'overloaded';

  constructor(bytesMax: number) {
    super(`the bodies that are held have all ${bytesMax} bytes there are`);
    this.name = 'BodiesFull';
  }
}

/** Nobody is there to hear an answer any more. */
export class CallerLeft extends Error {
  /** What was lost where we cut the caller off; null: it left by itself. */
  readonly lost: Denial | null;

  constructor(lost: Denial | null = null) {
    super('the caller left');
    this.name = 'CallerLeft';
    this.lost = lost;
  }
}

/** One request's body. What it has taken of the budget it holds until `release`. */
export class BodyBuffer {
  readonly #budget: BodyBudget;
  #bytes: Buffer = Buffer.alloc(0);
  #used = 0;
  #taken = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /**
   * Tells a caller who waits to go on, and reads to the end: the bytes, 413 for a chunked body that grows over
   * `bytesMax`, or 408 for a caller who stands still for `idleMs`; with `isWhole`, for one who takes longer over all of it.
   *
   * @throws BodiesFull; CallerLeft
   */
  read(visit: Visit, bytesMax: number, idleMs: number, isWhole = false): Promise<Outcome<Uint8Array>> {
    const { req, res, head } = visit;
    if (isGone(res)) return Promise.reject(new CallerLeft());
    if (visit.awaitsContinue) res.writeContinue();
    const { bytes: length } = framingOf(head.rawHeaders);
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        req.off('data', onData).off('end', onEnd).off('close', onLeft).off('error', onLeft);
        if (!req.complete) req.pause();
      };
      const onData = (chunk: Buffer): void => {
        if (!isWhole) timer.refresh();
        noteStreamed(chunk.length);
        if (this.#used + chunk.length > bytesMax) {
          stop();
          resolve(denied('body_too_large', `chunked body grew over ${bytesMax} bytes`));
        } else if (!this.#add(chunk, length ?? bytesMax)) {
          stop();
          reject(new BodiesFull(this.#budget.bytesMax));
        }
      };
      const onEnd = (): void => {
        stop();
        resolve({ ok: true, value: this.#bytes.subarray(0, this.#used) });
      };
      const onLeft = (): void => {
        stop();
        reject(new CallerLeft());
      };
      const timer = setTimeout(() => {
        stop();
        resolve(denied('request_timeout', 'the caller stood still for too long'));
      }, idleMs);
      req.on('data', onData).on('end', onEnd).on('close', onLeft).on('error', onLeft);
    });
  }

  /** Forgets the body. May be called again. */
  release(): void {
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#bytes = Buffer.alloc(0);
    this.#used = 0;
  }

  /**
   * Copies, so that a body of a million one-byte chunks is no million objects. Grows by doubling, and counts
   * what is allocated; never allocates for what a caller only announces.
   */
  #add(chunk: Buffer, bytesMax: number): boolean {
    const used = this.#used + chunk.length;
    if (used > this.#bytes.length) {
      const size = Math.min(bytesMax, Math.max(used, this.#bytes.length * 2));
      if (!this.#budget.take(size - this.#taken)) return false;
      this.#taken = size;
      if (this.#used === 0 && size === chunk.length) {
        this.#bytes = chunk;
        this.#used = used;
        return true;
      }
      const grown = Buffer.allocUnsafeSlow(size);
      this.#bytes.copy(grown, 0, 0, this.#used);
      this.#bytes = grown;
    }
    chunk.copy(this.#bytes, this.#used);
    this.#used = used;
    return true;
  }
}
