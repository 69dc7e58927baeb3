/** The slow half of bcrypt, run by the verifier in its threads and never on the event loop. */
import { compareSync, hashSync } from 'bcryptjs';

export type BcryptJob =
  | { readonly kind: 'match'; readonly plaintext: string; readonly hashes: readonly string[] }
  | { readonly kind: 'hash'; readonly plaintext: string; readonly cost: number };

/** For `match`: the indexes of all hashes the token fits. For `hash`: the new hash. */
export function runBcrypt(job: BcryptJob): readonly number[] | string {
  if (job.kind === 'hash') return hashSync(job.plaintext, job.cost);
  return job.hashes.flatMap((stored, index) => (fits(job.plaintext, stored) ? [index] : []));
}

/** A stored hash that bcrypt cannot read fits nothing, and must not hide its neighbours. */
function fits(plaintext: string, stored: string): boolean {
  try {
    return compareSync(plaintext, stored);
  } catch {
    return false;
  }
}
