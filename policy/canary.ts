/** Canaries: tokens that grant nothing and are laid out to be stolen. What sounds when one is used, and which still may. */
import type { TokenRecord } from './token-types.ts';

/** Whether its use is to be told: it is a canary, and nobody has ended it. @param now Unix ms. */
export function isOnGuard(
  { canary, revokedAt, expiresAt }: Pick<TokenRecord, 'canary' | 'revokedAt' | 'expiresAt'>,
  now: number,
): boolean {
  return canary === true && revokedAt === null && (expiresAt === null || expiresAt > now);
}
