/** The process's phases: serving, announcing that it leaves, closed to new requests. */

export type Phase = 'serving' | 'announcing' | 'closing';

export class Life {
  phase: Phase = 'serving';
  #inFlight = 0;
  #idle: (() => void)[] = [];

  get inFlight(): number {
    return this.#inFlight;
  }

  begin(): void {
    this.#inFlight++;
  }

  end(): void {
    this.#inFlight--;
    if (this.#inFlight > 0) return;
    for (const tell of this.#idle) tell();
    this.#idle = [];
  }

  /** Resolves true when nothing is in flight, false after `ms`; without `ms` it waits as long as it takes. */
  whenIdle(ms?: number): Promise<boolean> {
    if (this.#inFlight === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => resolve(false), ms);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}
