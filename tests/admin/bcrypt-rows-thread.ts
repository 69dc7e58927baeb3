/** Makes bcrypt hashes in a thread of a test's own. */
import { genSaltSync, hashSync } from 'bcryptjs';

const kinds = ['$2b$', '$2y$', '$2a$'];

export type HashJob = { readonly tokens: readonly string[]; readonly cost: number };

/** One hash a token, of each kind there is in turn: what other systems keep. */
export function hashAll({ tokens, cost }: HashJob): readonly string[] {
  return tokens.map((token, index) =>
    hashSync(token, `${kinds[index % kinds.length]}${genSaltSync(cost).slice(4)}`),
  );
}
