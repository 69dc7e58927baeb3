/**
 * The arithmetic of a sliding limit: never more than `quota` in any trailing window, in constant memory.
 * Pure: it is told the time and never waits. `sliding-window.lua` is the same arithmetic inside Redis;
 * a test holds the two together. Why this way: docs/decisions/0002-sliding-window.md.
 */

/** The part of a limit that arithmetic needs. `steps`: into how many steps the window is cut. */
export type Rate = { readonly quota: number; readonly windowUs: number; readonly steps: number };

/** Admissions that are forgotten together, once the last of them is out of the window. */
type Run = { lastUs: number; count: number };

/**
 * What is remembered of one key. Runs stand oldest first; only the newest is open, and only for one step
 * from `startUs`. Nobody but this file changes one.
 */
export type Bucket = { startUs: number; used: number; readonly runs: Run[] };

/** One bucket asked for one cost. */
export type Ask = { readonly bucket: Bucket; readonly rate: Rate; readonly cost: number };

/** Where a bucket stands after an ask. Durations are rounded up to whole ms. */
export type Standing = {
  readonly remaining: number;
  /** Until more is free; 0: nothing is used. */
  readonly resetMs: number;
  /** 0: there is room; -1: there never can be (cost over quota). */
  readonly retryAfterMs: number;
};

export function createBucket(): Bucket {
  return { startUs: 0, used: 0, runs: [] };
}

/**
 * Counts every ask or none, and says where each bucket stands. An ask that had room in a refused
 * group answers `retryAfterMs: 0` and is not counted.
 */
export function spendAll(asks: readonly Ask[], nowUs: number): { admitted: boolean; standings: Standing[] } {
  const waits: number[] = [];
  for (const [index, ask] of asks.entries()) {
    settle(ask.bucket, ask.rate, nowUs);
    waits.push(waitUs(ask.bucket, ask.rate, ask.cost + askedBefore(asks, index), nowUs));
  }
  const admitted = waits.every((wait) => wait === 0);
  if (admitted) for (const ask of asks) spend(ask.bucket, ask.rate, ask.cost, nowUs);
  const standings = asks.map(({ bucket, rate }, index) => ({
    remaining: Math.max(0, rate.quota - bucket.used),
    resetMs: wholeMs(untilOldestLeaves(bucket, rate, nowUs)),
    retryAfterMs: wholeMs(waits[index] ?? 0),
  }));
  return { admitted, standings };
}

/** Forgets what is out of the window. To be called before anything is read from a bucket. */
export function settle(bucket: Bucket, rate: Rate, nowUs: number): void {
  const { runs } = bucket;
  const newest = runs.at(-1);
  if (newest === undefined) return;
  if (newest.lastUs - nowUs > rate.windowUs) restamp(bucket, nowUs);
  let gone = 0;
  for (const run of runs) {
    if (nowUs - run.lastUs < rate.windowUs) break;
    bucket.used -= run.count;
    gone += 1;
  }
  if (gone > 0) runs.splice(0, gone);
}

/** Counts `cost` now, whether there is room or not. */
export function spend(bucket: Bucket, rate: Rate, cost: number, nowUs: number): void {
  const newest = bucket.runs.at(-1);
  // A clock that stepped back must not make an old run look older than it is: time stands still instead.
  const atUs = newest === undefined ? nowUs : Math.max(nowUs, newest.lastUs);
  if (newest !== undefined && atUs - bucket.startUs < rate.windowUs / rate.steps) {
    newest.lastUs = atUs;
    newest.count += cost;
  } else {
    bucket.startUs = atUs;
    bucket.runs.push({ lastUs: atUs, count: cost });
  }
  bucket.used += cost;
}

/** µs until `cost` fits if nobody else spends; 0: it fits now; -1: it never can. Settle first. */
export function waitUs(bucket: Bucket, rate: Rate, cost: number, nowUs: number): number {
  if (cost > rate.quota) return -1;
  let excess = bucket.used + cost - rate.quota;
  if (excess <= 0) return 0;
  for (const run of bucket.runs) {
    excess -= run.count;
    if (excess <= 0) return rate.windowUs - (nowUs - run.lastUs);
  }
  return -1;
}

/** When nothing counted so far can matter any more, in µs of the clock that counted it. */
export function emptyAtUs(bucket: Bucket, rate: Rate): number {
  return (bucket.runs.at(-1)?.lastUs ?? 0) + rate.windowUs;
}

/** Whole ms, rounded up, so that a wait is never told too short; -1 stays -1. */
export function wholeMs(durationUs: number): number {
  return durationUs < 0 ? -1 : Math.ceil(durationUs / 1000);
}

/**
 * After a step back of more than a window, what lies in the future counts as spent now: a clock that was
 * years ahead for a moment would otherwise lock the bucket for years.
 */
function restamp(bucket: Bucket, nowUs: number): void {
  const { runs } = bucket;
  let count = 0;
  for (let newest = runs.at(-1); newest !== undefined && newest.lastUs > nowUs; newest = runs.at(-1)) {
    count += newest.count;
    runs.pop();
  }
  bucket.startUs = nowUs;
  runs.push({ lastUs: nowUs, count });
}

function untilOldestLeaves(bucket: Bucket, rate: Rate, nowUs: number): number {
  const oldest = bucket.runs[0];
  return oldest === undefined ? 0 : rate.windowUs - (nowUs - oldest.lastUs);
}

/** What the same group already asked of the same bucket. */
function askedBefore(asks: readonly Ask[], index: number): number {
  let cost = 0;
  for (let earlier = 0; earlier < index; earlier += 1) {
    const ask = asks[earlier];
    if (ask !== undefined && ask.bucket === asks[index]?.bucket) cost += ask.cost;
  }
  return cost;
}
