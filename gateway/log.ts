/** Where log lines go: stdout, a few at a time, and never in the way of a request. */
import { type Logger, pino } from 'pino';

/** What may wait for a reader of the log; lines beyond it are lost rather than kept in memory. */
const bytesMax = 16 * 1024 * 1024;

/** Each write wakes another thread: under a flood of refusals that costs more than the lines do. */
const togetherMs = 20;

/** Lines leave asynchronously: a slow reader of the log must not slow a request. What waits when the process exits is written then. */
export function openLog(): Logger {
  const out = pino.destination({ fd: 1, sync: false, minLength: 0, maxLength: bytesMax });
  let waiting = '';
  let timer: NodeJS.Timeout | null = null;
  const pass = (): void => {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    out.write(waiting);
    waiting = '';
  };
  process.once('exit', () => {
    pass();
    out.flushSync();
  });
  const lines = {
    write: (line: string): void => {
      waiting += line;
      timer ??= setTimeout(pass, togetherMs);
    },
    // For the logger's own `flush`.
    flush: (done: () => void): void => {
      pass();
      out.flush(done);
    },
  };
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, lines);
}
