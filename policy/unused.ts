/** Since when a token was not used, and whether it has ended by that. Uses are written down seconds after they were. */
import type { TokenRecord, TokenType } from './token-types.ts';

/** How late the uses of other processes may be known: they are written every few seconds, and not while the store is locked. */
export const unusedLeewayMs = 60_000;

/**
 * To the millisecond, leeway included: a use that came in time and is not written yet must not be taken for none.
 *
 * @param now Unix ms.
 */
export function isUnused(
  { id, createdAt, lastUsedAt }: Pick<TokenRecord, 'id' | 'createdAt' | 'lastUsedAt'>,
  { unused }: Pick<TokenType, 'unused'>,
  now: number,
): boolean {
  if (unused === undefined) return false;
  const lastMs = unused.forMs + unused.leewayMs;
  const isOver = (since: number) => now - since >= lastMs;
  return isOver(Math.max(createdAt, lastUsedAt ?? 0)) && isOver(arrivalOf(id));
}

/** When it has ended by that if it is used no more, in Unix ms; null: never. As `isUnused` says it. */
export function unusedEndOf(
  { id, createdAt, lastUsedAt }: Pick<TokenRecord, 'id' | 'createdAt' | 'lastUsedAt'>,
  { unused }: Pick<TokenType, 'unused'>,
): number | null {
  if (unused === undefined) return null;
  return Math.max(createdAt, lastUsedAt ?? 0, arrivalOf(id)) + unused.forMs + unused.leewayMs;
}

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * When the row came to this store, by the ULID in its id: a token that was imported may be older, and nobody here knows
 * how it was used before. Unix ms; 0: its id does not say.
 */
function arrivalOf(id: string): number {
  const [, time = ''] = /^tok_([0-9A-HJKMNP-TV-Z]{10})[0-9A-HJKMNP-TV-Z]{16}$/.exec(id) ?? [];
  let ms = 0;
  for (const digit of time) ms = ms * 32 + digits.indexOf(digit);
  return ms;
}
