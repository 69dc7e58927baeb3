/** What goes into the Redis script and what comes out of it. Knows the wire shape, never a connection. */
import { readFileSync } from 'node:fs';
import type { Charge, LimitState } from '../policy/types.ts';

/** The text of the one script that counts; shipped beside this file. */
export const slidingWindowScript = readFileSync(new URL('./sliding-window.lua', import.meta.url), 'utf8');

/** Everything Postern counts in Redis lies under this. */
export const KEY_PREFIX = 'postern:limit:';

/** Counts are kept as uint32. */
const QUOTA_MAX = 0xffff_ffff;

/** The charges of one request: counted all or none. */
export type Group = readonly Charge[];

export type ScriptCall = readonly [keyCount: number, ...keysAndInput: string[]];

export type ScriptAnswer = {
  /** Redis's clock in µs, at which all of the call was judged. */
  readonly clockUs: number;
  /** One list per group, one state per charge, in order. */
  readonly groups: readonly (readonly LimitState[])[];
};

/** One call of the script for several requests. */
export function encodeCall(groups: readonly Group[]): ScriptCall {
  const places = new Map<string, number>();
  const input: number[] = [];
  for (const group of groups) {
    input.push(group.length);
    for (const { limit, key, cost } of group) {
      const quota = Math.min(limit.quota, QUOTA_MAX);
      input.push(placeOf(places, key), quota, limit.windowMs * 1000, limit.steps, cost);
    }
  }
  const keys: string[] = [];
  for (const key of places.keys()) keys.push(KEY_PREFIX + key);
  return [keys.length, ...keys, JSON.stringify(input)];
}

/** @throws TypeError if the answer is not one of our script for these groups. */
export function decodeAnswer(reply: unknown, groups: readonly Group[]): ScriptAnswer {
  const numbers = numbersOf(reply);
  let at = 1;
  const next = (): number => numbers[at++] ?? Number.NaN;
  const states = groups.map((group) =>
    group.map(({ limit }): LimitState => {
      const [remaining, resetMs, retryAfterMs] = [next(), next(), next()];
      return { limit, counted: true, allowed: retryAfterMs === 0, remaining, resetMs, retryAfterMs };
    }),
  );
  if (numbers.length !== at) throw new TypeError('the answer of the limit script does not fit the question');
  return { clockUs: numbers[0] ?? Number.NaN, groups: states };
}

function placeOf(places: Map<string, number>, key: string): number {
  const known = places.get(key);
  if (known !== undefined) return known;
  places.set(key, places.size + 1);
  return places.size;
}

function numbersOf(reply: unknown): readonly number[] {
  if (Array.isArray(reply) && reply.every((item) => typeof item === 'number')) return reply;
  throw new TypeError('the limit script did not answer with numbers');
}
