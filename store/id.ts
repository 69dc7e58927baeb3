/** Ids that sort by when they were made: a prefix and a ULID. Ids are not secret. */
import { randomBytes } from 'node:crypto';

/** Crockford's base 32. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 16;
const RANDOM_LIMIT = 1n << 80n;

/** Ids of tokens: `tok_…`. @param now Unix ms. */
export function createTokenIds(now: () => number): () => string {
  return createIds('tok_', now);
}

/** All ids that were made before begin with less, all others with this or more. @param ms Unix ms. */
export function firstTokenIdAt(ms: number): string {
  return `tok_${digits(BigInt(ms), TIME_DIGITS)}`;
}

/**
 * A maker of ids, each greater than the one before, even within one ms or after a clock that stepped back.
 * Ids of several processes are ordered by their clocks only.
 *
 * @param now Unix ms.
 */
export function createIds(prefix: string, now: () => number): () => string {
  let lastMs = -1;
  let random = 0n;
  return () => {
    const ms = now();
    random += 1n;
    if (ms > lastMs || random >= RANDOM_LIMIT) {
      lastMs = Math.max(ms, lastMs + 1);
      random = BigInt(`0x${randomBytes(10).toString('hex')}`);
    }
    return `${prefix}${digits(BigInt(lastMs), TIME_DIGITS)}${digits(random, RANDOM_DIGITS)}`;
  };
}

function digits(value: bigint, count: number): string {
  let text = '';
  for (let place = BigInt(count - 1); place >= 0n; place--) {
    text += DIGITS.charAt(Number((value >> (5n * place)) & 31n));
  }
  return text;
}
