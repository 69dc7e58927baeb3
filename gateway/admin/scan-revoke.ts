/** Ends the tokens a scan has found. */
import { visible } from './cli-shell.ts';
import { type Desk, revokeToken } from './operations.ts';
import type { Finding } from './scan.ts';

const reasonCharsMax = 120;

const over: readonly Finding['state'][] = ['revoked', 'expired', 'canary'];

/** What works, or could work again, by its id, with the reason that its record will give. A canary lies where it was laid out. */
export function revocable(findings: readonly Finding[]): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  for (const finding of findings) {
    const { id, state } = finding;
    if (id === null || reasons.has(id) || over.includes(state)) continue;
    reasons.set(id, reasonOf(finding));
  }
  return reasons;
}

/** @returns the ids that are revoked now. @throws StoreFault; those before it are. */
export async function revokeFound(
  desk: Desk,
  reasons: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const revoked: string[] = [];
  for (const [id, reason] of reasons) {
    const answer = await revokeToken(desk, id, reason);
    if (answer.ok) revoked.push(id);
  }
  return revoked;
}

/** `leaked: FILE`; of a long path, its end. */
function reasonOf({ where, path, commit }: Finding): string {
  const start = commit === null ? 'leaked: ' : `leaked: ${commit.slice(0, 12)}:`;
  // Of a name that is no UTF-8 its replacement characters are no reason that a record takes.
  const place = visible(path ?? where).replaceAll('\ufffd', '?');
  const room = reasonCharsMax - start.length;
  return start + (place.length <= room ? place : `…${place.slice(1 - room)}`);
}
