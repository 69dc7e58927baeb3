/** A body that is read whole while its token may die: an upload that can last, and before which nothing has gone on. */
import { lostStanding } from '../policy/standing.ts';
import type { TokenRecord } from '../policy/token-types.ts';
import type { Outcome } from '../policy/types.ts';
import { type BodyBuffer, CallerLeft } from './body-buffer.ts';
import type { Gate, Visit } from './gate.ts';

/** How long a body may be, and stand still. `readByThen`: what its connection had brought before its token was judged. */
type Bounds = { readonly bytesMax: number; readonly idleMs: number; readonly readByThen: number };

/**
 * Reads on while the token stands, and asks once more when all has come: one that died meanwhile gets nothing through.
 *
 * @param token null: nobody's.
 * @throws BodiesFull; CallerLeft, with what was lost where it was cut; StoreFault
 */
export async function readHeld(
  buffer: BodyBuffer,
  visit: Visit,
  token: TokenRecord | null,
  { bytesMax, idleMs, readByThen }: Bounds,
  { vigil, tokens, site, now }: Pick<Gate, 'vigil' | 'tokens' | 'site' | 'now'>,
): Promise<Outcome<Uint8Array>> {
  if (token === null) return buffer.read(visit, bytesMax, idleMs);
  const watch = vigil.begin(token.id, visit.res);
  try {
    const arrived = await buffer.read(visit, bytesMax, idleMs);
    // It came along with its head: the token was judged after all of it.
    if (!arrived.ok || visit.req.socket.bytesRead === readByThen) return arrived;
    const [record] = await tokens.byIds([token.id]);
    const lost = lostStanding(site().policy, record, now());
    return lost === null ? arrived : { ok: false, denial: lost };
  } catch (error) {
    throw error instanceof CallerLeft && watch.cut !== null ? new CallerLeft(watch.cut) : error;
  } finally {
    vigil.end(watch);
  }
}
