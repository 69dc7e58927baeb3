/** Gathers "this token was used at" and writes it every few seconds; a request never waits for it. */

export interface LastUsed {
  /** Notes a use; the latest of each token counts. No I/O. */
  touch(id: string, atMs: number): void;
  /** The latest use that is noted, and may not be written yet; null: none. */
  latest(id: string): number | null;
  /** Writes what was noted. Never throws: what could not be written stays noted. */
  flush(): Promise<void>;
  /** Stops the timer and flushes once more. */
  close(): Promise<void>;
}

export type LastUsedOptions = {
  /** Makes uses durable, forward only; all of those given or, if it throws, any part of them. */
  readonly write: (uses: readonly (readonly [id: string, atMs: number])[]) => Promise<void>;
  readonly everyMs: number;
  readonly onFailure: (error: unknown) => void;
};

/** Notes of one interval are lost if the process is killed: that is the whole price. */
export function createLastUsed({ write, everyMs, onFailure }: LastUsedOptions): LastUsed {
  let noted = new Map<string, number>();
  /** On its way to the database. */
  let leaving: ReadonlyMap<string, number> = new Map();
  let running: Promise<void> | null = null;

  const touch = (id: string, atMs: number) => {
    const before = noted.get(id);
    if (before === undefined || before < atMs) noted.set(id, atMs);
  };

  const latest = (id: string): number | null => noted.get(id) ?? leaving.get(id) ?? null;

  const writeNoted = async () => {
    const batch = noted;
    leaving = batch;
    noted = new Map();
    try {
      await write([...batch]);
    } catch (error) {
      for (const [id, atMs] of batch) touch(id, atMs);
      onFailure(error);
    } finally {
      leaving = new Map();
    }
  };

  /** One at a time; what is noted while one runs waits for the next. */
  const flush = async (): Promise<void> => {
    if (running !== null) await running;
    if (noted.size === 0) return;
    running ??= writeNoted().finally(() => {
      running = null;
    });
    await running;
  };

  const timer = setInterval(() => void flush(), everyMs).unref();
  const close = async () => {
    clearInterval(timer);
    await flush();
  };
  return { touch, latest, flush, close };
}
