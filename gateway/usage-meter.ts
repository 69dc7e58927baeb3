/** Counts who used what, and hands it to the store every few seconds; a request never waits for it. */
import type { LastUse, UsageCount, UsageStore } from '../store/usage-store.ts';
import type { Account } from './access-log.ts';

export type UsageMeterOptions = {
  readonly usage: Pick<UsageStore, 'add' | 'forgetOld'>;
  /** Unix ms. */
  readonly now: () => number;
  /** Once for each flush that failed: what it held is kept for the next. */
  readonly onFailure: (error: unknown) => void;
  readonly everyMs?: number;
  /** Tokens and rows counted apart until they are written; those beyond are counted together. */
  readonly entriesMax?: number;
};

export interface UsageMeter {
  /** No I/O. */
  note(account: Account): void;
  /** Writes what was noted. Never throws. */
  flush(): Promise<void>;
  /** Stops the timer and flushes once more. */
  close(): Promise<void>;
}

type Tally = { passed: number; refused: number; failed: number; at: number; address: string };

/** Of one minute: by token, then by row. */
type Minute = { readonly startMs: number; readonly tokens: Map<string, Map<string, Tally>>; entries: number };

const everyMsDefault = 10_000;
const entriesMaxDefault = 20_000;
const forgetEveryMs = 3_600_000;
const minuteMs = 60_000;
/** Of tokens, and of rows, that are not told apart. */
const others = '';

export function createUsageMeter(options: UsageMeterOptions): UsageMeter {
  const { usage, now, onFailure, everyMs = everyMsDefault, entriesMax = entriesMaxDefault } = options;
  let current = minuteAt(now());
  /** Minutes that are over, or could not be written. */
  let done: Minute[] = [];
  let running: Promise<void> | null = null;
  let forgottenAt = Number.NEGATIVE_INFINITY;

  const note = (account: Account): void => {
    const atMs = now();
    if (atMs - current.startMs >= minuteMs || atMs < current.startMs) {
      if (current.entries > 0) done.push(current);
      current = minuteAt(atMs);
    }
    const tally = tallyOf(current, account.tokenId ?? others, account.route ?? others, entriesMax);
    if (account.code === null && account.status < 500) {
      tally.passed++;
      tally.at = atMs;
      tally.address = account.address;
    } else if (account.status >= 500) tally.failed++;
    else tally.refused++;
  };

  const write = async (): Promise<void> => {
    const minutes = [...done, current].filter(({ entries }) => entries > 0);
    done = [];
    current = minuteAt(now());
    try {
      await usage.add(countsOf(minutes), lastUsesOf(minutes));
      if (now() - forgottenAt < forgetEveryMs) return;
      forgottenAt = now();
      await usage.forgetOld();
    } catch (error) {
      // Bounded: a store that is away for long costs the oldest minutes, not memory.
      done = [...minutes, ...done].slice(-3);
      onFailure(error);
    }
  };

  const flush = async (): Promise<void> => {
    if (running !== null) await running;
    if (current.entries === 0 && done.length === 0) return;
    running ??= write().finally(() => {
      running = null;
    });
    await running;
  };

  const timer = setInterval(() => void flush(), everyMs).unref();
  const close = async (): Promise<void> => {
    clearInterval(timer);
    await flush();
  };
  return { note, flush, close };
}

function minuteAt(atMs: number): Minute {
  return { startMs: Math.floor(atMs / minuteMs) * minuteMs, tokens: new Map(), entries: 0 };
}

/** Where there is no room for another, all others together. */
function tallyOf(minute: Minute, token: string, route: string, entriesMax: number): Tally {
  const known = minute.tokens.get(token)?.get(route);
  if (known !== undefined) return known;
  if (minute.entries >= entriesMax && (token !== others || route !== others)) {
    return tallyOf(minute, others, others, entriesMax);
  }
  const rows = minute.tokens.get(token) ?? new Map<string, Tally>();
  const tally = { passed: 0, refused: 0, failed: 0, at: 0, address: '' };
  minute.tokens.set(token, rows.set(route, tally));
  minute.entries++;
  return tally;
}

function* talliesOf(minutes: readonly Minute[]) {
  for (const { startMs, tokens } of minutes) {
    for (const [tokenId, rows] of tokens) {
      for (const [route, tally] of rows) yield { tokenId, minuteMs: startMs, route, tally };
    }
  }
}

function countsOf(minutes: readonly Minute[]): readonly UsageCount[] {
  return [...talliesOf(minutes)].map(({ tally: { passed, refused, failed }, ...rest }) => {
    return { ...rest, passed, refused, failed };
  });
}

function lastUsesOf(minutes: readonly Minute[]): readonly LastUse[] {
  const latest = new Map<string, LastUse>();
  for (const { tokenId, route, tally } of talliesOf(minutes)) {
    if (tokenId === others || tally.passed === 0) continue;
    if ((latest.get(tokenId)?.at ?? 0) > tally.at) continue;
    latest.set(tokenId, { tokenId, at: tally.at, address: tally.address, route });
  }
  return [...latest.values()];
}
