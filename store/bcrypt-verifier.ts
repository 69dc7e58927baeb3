/** bcrypt behind a bounded queue of worker threads; the event loop never hashes. Remembers no token. */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { BcryptJob } from './bcrypt-thread.ts';
import { StoreFault } from './fault.ts';

export type VerifierOptions = {
  /** Threads that hash; default: all cores but one, 1 to 4. */
  readonly threads?: number;
  /** Jobs that may wait beyond those running; default 16. */
  readonly queueMax?: number;
};

/** bcrypt reads no further: what follows the 72nd byte would not be checked at all. */
const BCRYPT_BYTES_MAX = 72;
const QUEUE_MAX = 16;
/** Idle threads are given back: with `then: sha256` bcrypt soon has nothing to do. */
const IDLE_MS = 30_000;
/** Hashing yields the processor to the event loop where both want it. */
const NICE = 10;
const RETRY_MS_MIN = 1_000;
const FIRST_GUESS_MS = 100;

/** Whether bcrypt judges all of the token. A NUL would let two tokens share a hash: its key repeats after one. */
export function fitsBcrypt(plaintext: string): boolean {
  return Buffer.byteLength(plaintext) <= BCRYPT_BYTES_MAX && !plaintext.includes('\0');
}

export class BcryptVerifier {
  readonly #pool: Piscina<BcryptJob, readonly number[] | string>;
  readonly #threads: number;
  readonly #depthMax: number;
  #depth = 0;
  #completed = 0;
  #averageMs = FIRST_GUESS_MS;

  constructor(options: VerifierOptions = {}) {
    this.#threads = options.threads ?? Math.min(4, Math.max(1, availableParallelism() - 1));
    this.#depthMax = this.#threads + (options.queueMax ?? QUEUE_MAX);
    this.#pool = new Piscina({
      filename: new URL('./bcrypt-thread.ts', import.meta.url).href,
      name: 'runBcrypt',
      minThreads: 0,
      maxThreads: this.#threads,
      idleTimeout: IDLE_MS,
      niceIncrement: NICE,
    });
  }

  /** Jobs waiting or running. */
  get depth(): number {
    return this.#depth;
  }

  /** Jobs finished since the start. */
  get completed(): number {
    return this.#completed;
  }

  /**
   * The indexes of those of `hashes` that the token fits, in order. Tries all of them.
   *
   * @throws StoreFault `verifier_busy` with `retryAfterMs` if the queue is full; `store_unavailable` if a thread failed.
   */
  async match(plaintext: string, hashes: readonly string[]): Promise<readonly number[]> {
    const fitting = await this.#run({ kind: 'match', plaintext, hashes });
    return typeof fitting === 'string' ? [] : fitting;
  }

  /** @throws StoreFault as `match`. */
  async hash(plaintext: string, cost: number): Promise<string> {
    if (!fitsBcrypt(plaintext)) throw new TypeError('bcrypt cannot judge all of this token');
    return String(await this.#run({ kind: 'hash', plaintext, cost }));
  }

  /** Jobs in hand are given up: their callers get a fault. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async #run(job: BcryptJob): Promise<readonly number[] | string> {
    if (this.#depth >= this.#depthMax) throw this.#busy();
    this.#depth += 1;
    const startedMs = performance.now();
    const ahead = Math.max(1, this.#depth / this.#threads);
    try {
      return await this.#pool.run(job);
    } catch (cause) {
      throw new StoreFault('store_unavailable', 'a bcrypt thread failed', { cause });
    } finally {
      this.#depth -= 1;
      this.#completed += 1;
      this.#averageMs += ((performance.now() - startedMs) / ahead - this.#averageMs) / 8;
    }
  }

  #busy(): StoreFault {
    const drainedMs = Math.ceil((this.#depth / this.#threads) * this.#averageMs);
    return withoutStack(() => {
      return new StoreFault('verifier_busy', 'too many tokens are waiting for bcrypt', {
        retryAfterMs: Math.max(RETRY_MS_MIN, drainedMs),
      });
    });
  }
}

/** Under a flood there are hundreds a second of them, all from the same place; to note it costs more than the rest of a refusal. */
function withoutStack<E extends Error>(make: () => E): E {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = before;
  }
}
