/** Which tokens want somebody's attention soon: those that end, and those whose successor is in use. */
import type { TokenRecord } from '../../policy/token-types.ts';
import type { Desk } from './operations.ts';
import { type Rotated, readUsage } from './operations-usage.ts';

/** `endsAt`: Unix ms. */
export type EndingToken = { readonly record: TokenRecord; readonly endsAt: number };

/** `isMore`: not all were looked at. */
export type Ending = { readonly tokens: readonly EndingToken[]; readonly isMore: boolean };

const lookedMax = 1000;

/** Those that expire, or whose overlap is over, within the time; the first to end first. @throws StoreFault */
export async function endingTokens({ tokens, now }: Desk, withinMs: number): Promise<Ending> {
  const after = now();
  const page = await tokens.list({ ends: { after, until: after + withinMs }, limit: lookedMax });
  const ending = page.tokens.map((record) => ({ record, endsAt: endOf(record) }));
  return {
    tokens: ending.sort((one, other) => one.endsAt - other.endsAt),
    isMore: page.next !== null,
  };
}

function endOf({ expiresAt, retireAt }: TokenRecord): number {
  return Math.min(expiresAt ?? Number.POSITIVE_INFINITY, retireAt ?? Number.POSITIVE_INFINITY);
}

/** Overlaps are 400 days at most; a bound, for rotations whose end nobody named would never be safe to forget. */
const overlapMaxMs = 400 * 86_400_000;
const rotationsMax = 50;

/** Rotated tokens that still live and that nobody needs any more, oldest first: of fifty at most. @throws StoreFault */
export async function safeToRetire(desk: Desk): Promise<readonly Rotated[]> {
  const after = desk.now();
  const page = await desk.tokens.list({
    ends: { after, until: after + overlapMaxMs },
    rotated: true,
    limit: rotationsMax,
  });
  const rotated: Rotated[] = [];
  for (const { id } of page.tokens) {
    const usage = await readUsage(desk, { id, sinceMs: 60_000, by: 'route', limit: 1 });
    const rotation = usage.ok ? usage.value.rotation : null;
    if (rotation?.verdict.safe === true) rotated.push(rotation);
  }
  return rotated;
}
