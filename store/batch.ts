/**
 * Gathers jobs and sends them in one. Idle, a job goes out at once and alone: waiting for company would only cost
 * latency. Busy, jobs leave at the end of the turn of the event loop they came in, all together. Knows nothing of what it sends.
 */

export type BatchOptions<Job> = {
  /** Must settle every job it was given; never rejects. */
  readonly send: (jobs: readonly Job[]) => Promise<void>;
  /** Whether anything may be sent right now. */
  readonly open: () => boolean;
  readonly inFlightMax: number;
  readonly jobsMax: number;
};

export interface Batch<Job> {
  add(job: Job): void;
  /** To be called whenever `open` may have become true. */
  pump(): void;
  /** Everything that was not sent yet; it is the caller's to settle now. */
  drain(): readonly Job[];
}

export function createBatch<Job>(options: BatchOptions<Job>): Batch<Job> {
  let waiting: Job[] = [];
  let inFlight = 0;
  /** Whether the last call took several jobs along: the next turn will bring several too. */
  let isBusy = false;
  let isDue = false;

  function pump(): void {
    while (waiting.length > 0 && inFlight < options.inFlightMax && options.open()) {
      const jobs = waiting.length <= options.jobsMax ? waiting : waiting.slice(0, options.jobsMax);
      waiting = waiting.length <= options.jobsMax ? [] : waiting.slice(options.jobsMax);
      inFlight += 1;
      isBusy = jobs.length > 1;
      void options.send(jobs).then(returned);
    }
  }

  function pumpAtEndOfTurn(): void {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      pump();
    });
  }

  function returned(): void {
    inFlight -= 1;
    if (waiting.length > 0) pumpAtEndOfTurn();
  }

  return {
    add(job) {
      waiting.push(job);
      if (inFlight > 0 || isBusy || isDue) pumpAtEndOfTurn();
      else pump();
    },
    pump,
    drain() {
      const jobs = waiting;
      waiting = [];
      return jobs;
    },
  };
}
